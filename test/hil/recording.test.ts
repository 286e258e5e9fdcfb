import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import test, { type ExecutionContext } from 'ava';
import { formatEntry, parseEntry, type RecordingEntry } from '../../src/hil/recording.js';
import { openRecording } from '../../src/hil/recording-reader.js';
import { openRecordingFile, RecordingWriter } from '../../src/hil/recording-writer.js';
import { FakeClock } from '../support/fake-clock.js';
import { folderFor } from '../support/ferrule-command.js';
import { fc } from '../support/properties.js';

const HEADER = '{"ferrule_recording":1,"device":"scale","more":true}\n';

function fileWith(t: ExecutionContext, text: string): string {
  const file = path.join(folderFor(t), 'r.ndjson');
  writeFileSync(file, text);
  return file;
}

async function entriesOf(file: string, onTorn: (sentence: string) => void = () => {}): Promise<RecordingEntry[]> {
  const found: RecordingEntry[] = [];
  for await (const entry of (await openRecording(file, { onTorn })).entries()) found.push(entry);
  return found;
}

const entry: fc.Arbitrary<RecordingEntry> = fc.oneof(
  fc.record({
    t: fc.nat(),
    d: fc.constantFrom('in', 'out'),
    bytes: fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
  }),
  fc.record({ t: fc.nat(), note: fc.string(), reason: fc.string() }),
  fc.record({ t: fc.nat(), note: fc.constant('dropped'), dropped: fc.nat() }),
);

test('whatever is written is read back', (t) => {
  fc.assert(
    fc.property(entry, (one) => {
      t.deepEqual(parseEntry(formatEntry(one)), { ok: true, value: one });
    }),
  );
});

test('any text is an entry or a fault, never an exception', (t) => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      t.is(typeof parseEntry(text).ok, 'boolean');
    }),
  );
});

test('a recording is written as it goes, within a second, and read again as often as wanted', async (t) => {
  const file = path.join(folderFor(t), 'new.ndjson');
  const clock = new FakeClock();
  const stream = await openRecordingFile(file, { force: false });
  const header = { ferrule_recording: 1, device: 'scale' } as const;
  const writer = new RecordingWriter({ stream, clock, header, onFailed: (error) => t.fail(error.message) });
  const entries: RecordingEntry[] = [
    { t: 0, note: 'online', reason: 'opened' },
    { t: 1200, d: 'in', bytes: Buffer.from('12.5 kg\r\n') },
    { t: 1200, d: 'out', bytes: Buffer.from([0, 255]) },
    { t: 5000, note: 'dropped', dropped: 77 },
  ];
  for (const one of entries) writer.add(one);
  t.is(clock.pending, 1);
  await clock.advance(1000);
  t.is(clock.pending, 0);
  await writer.close();
  t.deepEqual([writer.lines, writer.bytes, writer.dropped], [5, 11, 77]);
  const recording = await openRecording(file);
  t.deepEqual(recording.header, header);
  for (let turn = 0; turn < 2; turn += 1) t.deepEqual(await entriesOf(file), entries);
  await t.throwsAsync(openRecordingFile(file, { force: false }), { code: 'EEXIST' });
});

test('a disk that is far behind costs entries, and a note says how many bytes', async (t) => {
  const clock = new FakeClock();
  const stream = new PassThrough({ highWaterMark: 64 * 1024 * 1024 });
  const header = { ferrule_recording: 1, device: 'scale' } as const;
  const writer = new RecordingWriter({ stream, clock, header, onFailed: () => {} });
  const bytes = Buffer.alloc(64 * 1024);
  stream.cork();
  for (let n = 0; n < 200; n += 1) writer.add({ t: n, d: 'in', bytes });
  stream.uncork();
  stream.resume();
  await clock.advance(1000);
  writer.add({ t: 200, d: 'in', bytes });
  t.true(writer.dropped > 0);
  t.is(writer.bytes + writer.dropped, 201 * bytes.length);
});

test('a torn last line is left out and told; anywhere else a bad line is an error with its place', async (t) => {
  const good = '{"t":5,"d":"in","hex":"00ff"}\n';
  const torn: string[] = [];
  const file = fileWith(t, `${HEADER}${good}{"t":9,"d":"in","he`);
  t.deepEqual(await entriesOf(file, (sentence) => torn.push(sentence)), [
    { t: 5, d: 'in', bytes: Buffer.from([0, 255]) },
  ]);
  t.deepEqual(torn, [`${file}:3: the last line breaks off and was left out`]);
  const whole = fileWith(t, `${HEADER}${good.trimEnd()}`);
  t.is((await entriesOf(whole, () => t.fail())).length, 1, 'only the newline is missing');
});

const faults: readonly [string, string, RegExp][] = [
  ['an empty file', '', /:1: the file is empty/],
  ['a file that is something else', 'hello\n', /:1: expected the header of a recording, .*got "hello"/],
  ['a JSON file that is something else', '{"a":1}\n', /:1: expected the header of a recording.*ferrule_recording/],
  [
    'a later version',
    '{"ferrule_recording":2,"device":"x"}\n',
    /:1: a recording of version 2; this ferrule reads version 1/,
  ],
  ['no JSON', `${HEADER}hello\n{}\n`, /:2: expected a JSON object, got "hello"/],
  ['no time', `${HEADER}{"d":"in","hex":""}\n`, /:2: "t": expected microseconds since the start, got "?nothing/],
  ['a direction that is none', `${HEADER}{"t":1,"d":"up","hex":""}\n`, /:2: "d": expected "in" or "out", got "up"/],
  ['half a byte', `${HEADER}{"t":1,"d":"in","hex":"0"}\n`, /:2: "hex": expected pairs/],
  ['digits that are none', `${HEADER}{"t":1,"d":"in","hex":"zz"}\n`, /:2: "hex": expected pairs/],
  ['time that goes back', `${HEADER}{"t":5,"note":"x"}\n{"t":4,"note":"x"}\n`, /:3: "t" goes back, from 5 to 4/],
  ['a line without end', `${HEADER}${'x'.repeat(2 ** 20)}`, /:2: longer than \d+ characters/],
];

for (const [what, text, message] of faults) {
  test(`${what} is an error with file and line`, async (t) => {
    await t.throwsAsync(entriesOf(fileWith(t, text)), { message, code: 'bad-recording' });
  });
}
