import { writeFileSync } from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import lines from '../../devices/lines.js';
import nmea from '../../devices/nmea0183.js';
import raw from '../../devices/raw.js';
import { decodeRecording } from '../../src/hil/decode-recording.js';
import { formatEntry, formatHeader, type RecordingEntry, type RecordingHeader } from '../../src/hil/recording.js';
import { nmeaSentence } from '../../src/hil/virtual-gnss.js';
import { folderFor } from '../support/ferrule-command.js';

function fileOf(
  t: ExecutionContext,
  entries: readonly RecordingEntry[],
  header: Partial<RecordingHeader> = {},
): string {
  const file = path.join(folderFor(t), 'r.ndjson');
  const text = formatHeader({ ferrule_recording: 1, device: 'scale', ...header }) + entries.map(formatEntry).join('');
  writeFileSync(file, text);
  return file;
}

function heard(t: number, text: string): RecordingEntry {
  return { t, d: 'in', bytes: Buffer.from(text, 'latin1') };
}

test('lines come as text, in any chunks; what was written does not count', async (t) => {
  const out: RecordingEntry = { t: 2, d: 'out', bytes: Buffer.from('TARE\n') };
  const file = fileOf(t, [heard(0, '12'), heard(1, '.5\nb\xb0\n7'), out, heard(3, '\nrest')]);
  const { readings, junk } = await decodeRecording(lines, file);
  t.deepEqual(readings, ['12.5', 'b\xb0', '7']);
  t.deepEqual(junk, [{ reason: 'partial', bytes: Buffer.from('rest') }]);
});

test('framing is what is given, else what was recorded', async (t) => {
  const file = fileOf(t, [heard(0, 'a;b;c\n')], { framing: { type: 'line', delimiter: ';' } });
  t.deepEqual((await decodeRecording(lines, file)).readings, ['a', 'b']);
  t.deepEqual((await decodeRecording(lines, file, { framing: { type: 'line' } })).readings, ['a;b;c']);
});

test('a loss of the link ends what was held: it is not joined to what comes after', async (t) => {
  const file = fileOf(t, [heard(0, '12'), { t: 1, note: 'lost' }, { t: 2, note: 'online' }, heard(3, '34\n')]);
  const { readings, junk } = await decodeRecording(lines, file);
  t.deepEqual(readings, ['34']);
  t.deepEqual(
    junk.map(({ reason }) => reason),
    ['partial'],
  );
});

test('pauses of the recording end frames that silence ends', async (t) => {
  const framing = { type: 'silence', gap: '5ms' };
  const file = fileOf(t, [heard(0, 'a'), heard(4000, 'b'), heard(9100, 'c'), heard(100_000, 'd')], { framing });
  t.deepEqual((await decodeRecording(raw, file)).readings, ['ab', 'c', 'd']);
});

test('quiet settles what a driver has gathered', async (t) => {
  const file = fileOf(t, [
    heard(0, nmeaSentence('GPVTG,90.0,T,,M,10.0,N,18.5,K,A')),
    heard(149_000, nmeaSentence('GPGSA,A,3,02,,,,,,,,,,,,1.6,0.9,1.3')),
    heard(400_000, nmeaSentence('GPGSA,A,2,02,,,,,,,,,,,,1.6,0.9,1.3')),
  ]);
  t.like((await decodeRecording(nmea, file)).readings, [{ course: 90, fix: { mode: '3d' } }, { fix: { mode: '2d' } }]);
});

test('options that do not fit are refused', async (t) => {
  const file = fileOf(t, [heard(0, 'a\n')]);
  await t.throwsAsync(decodeRecording(nmea, file, { options: { require: 1 } }), { message: /require/ });
});
