// Bytes are missing in the stream, and the framer is told: no frame that it reports may be one that nobody has sent.

import test from 'ava';
import fc from 'fast-check';
import { makeFramer } from '../../../src/device/make-framer.js';
import { framing } from '../../contracts/framer.js';
import { FrameLog } from '../../support/frame-log.js';

type Config = Readonly<Record<string, unknown>>;

const SILENCE = { type: 'silence', gap: '20ms' };
const any = fc.uint8Array({ minLength: 1, maxLength: 12 }).map((payload) => Buffer.from(payload));
const text = any.filter((payload) => !payload.includes(13) && !payload.includes(10));
const digits = fc.stringMatching(/^[0-9]{1,8}$/).map((payload) => Buffer.from(payload));

const DELIMITED: readonly [Config, fc.Arbitrary<Buffer>][] = [
  [{ type: 'line' }, text],
  [{ type: 'line', delimiter: '\r\n' }, text],
  [{ type: 'slip' }, any],
  [{ type: 'cobs' }, any],
  [{ type: 'regex', pattern: '(\\d+)\\r\\n' }, digits],
];

for (const [config, payload] of DELIMITED) {
  test(`${JSON.stringify(config)}: behind a hole no tail is a frame, and at most one whole frame is lost with it`, (t) => {
    const payloads = fc.array(payload, { minLength: 1, maxLength: 8 });
    const size = fc.integer({ min: 1, max: 20 });
    fc.assert(
      fc.property(payloads, fc.tuple(fc.nat(), fc.nat()), size, (sent, places, chunk) => {
        const wires = sent.map((each) => wireOf(config, each));
        const wire = Buffer.concat(wires);
        const [from = 0, to = 0] = places.map((place) => place % (wire.length + 1)).sort((a, b) => a - b);
        const got = hexOf(throughHole(config, [wire.subarray(0, from), wire.subarray(to)], chunk).frames);
        const before = wholeBefore(wires, from);
        const behind = hexOf(sent).slice(sent.length - wholeBehind(wires, to));
        t.deepEqual(got.slice(0, before), hexOf(sent).slice(0, before));
        const rest = got.slice(before);
        t.deepEqual(rest, rest.length === behind.length ? behind : behind.slice(1));
      }),
    );
  });
}

test('silence: behind a hole, bytes up to the next gap are no frame', (t) => {
  const framer = makeFramer(framing(SILENCE));
  const log = new FrameLog();
  framer.push(Buffer.from('ab'), log);
  framer.flush('hole', log);
  framer.push(Buffer.from('c'), log);
  framer.push(Buffer.from('d'), log);
  framer.flush('gap', log);
  framer.push(Buffer.from('ef'), log);
  framer.flush('gap', log);
  t.deepEqual(log.events, ['partial ab', 'partial cd', 'frame ef']);
});

test('a frame is found by its start behind a hole, too', (t) => {
  const framer = makeFramer(framing({ type: 'start-end', start: '<', end: '>' }));
  const log = new FrameLog();
  framer.push(Buffer.from('<ab'), log);
  framer.flush('hole', log);
  framer.push(Buffer.from('cd><ef>'), log);
  t.deepEqual(log.events, ['partial ab', 'no-start cd>', 'frame ef']);
});

test('the end of the link ends a hole: the first frame of the next one is taken', (t) => {
  for (const config of [...DELIMITED.map(([each]) => each), SILENCE]) {
    const framer = makeFramer(framing(config));
    const log = new FrameLog();
    framer.flush('hole', log);
    framer.flush('end', log);
    framer.push(wireOf(config, Buffer.from('12')), log);
    framer.flush('gap', log);
    t.deepEqual(hexOf(log.frames), ['3132'], JSON.stringify(config));
  }
});

function wireOf(config: Config, payload: Buffer): Buffer {
  return config.type === 'regex'
    ? Buffer.concat([payload, Buffer.from('\r\n')])
    : makeFramer(framing(config)).wrap(payload);
}

function throughHole(config: Config, parts: readonly Buffer[], size: number): FrameLog {
  const framer = makeFramer(framing(config));
  const log = new FrameLog();
  for (const [index, part] of parts.entries()) {
    if (index > 0) framer.flush('hole', log);
    for (let at = 0; at < part.length; at += size) framer.push(Buffer.from(part.subarray(at, at + size)), log);
  }
  return log;
}

/** Without the empty ones that slip and cobs may find between two delimiters. */
function hexOf(frames: readonly Buffer[]): string[] {
  return frames.map((frame) => frame.toString('hex')).filter((hex) => hex !== '');
}

/** How many of the first frames end at or before `at`. */
function wholeBefore(wires: readonly Buffer[], at: number): number {
  return wires.filter((_, index) => lengthOf(wires.slice(0, index + 1)) <= at).length;
}

/** How many of the last frames begin at or behind `at`. */
function wholeBehind(wires: readonly Buffer[], at: number): number {
  return wires.filter((_, index) => lengthOf(wires.slice(0, index)) >= at).length;
}

function lengthOf(wires: readonly Buffer[]): number {
  return wires.reduce((sum, wire) => sum + wire.length, 0);
}
