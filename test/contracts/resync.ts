// What a framing with a checksum promises when the line has spoilt or lost bytes, run by the framers' own tests: good frames
// come again, soon, and those that stand whole in memory are not thrown away. With `crc32`, which no accident passes.

import test from 'ava';
import { makeFramer } from '../../src/device/make-framer.js';
import { FrameLog } from '../support/frame-log.js';
import { fc } from '../support/properties.js';
import { framing } from './framer.js';

/** A framing under test, and what it promises. */
export interface ResyncFixture {
  /** For the titles. */
  readonly name: string;
  /** As in the config file, but for the checksum. */
  readonly framing: fc.Arbitrary<Readonly<Record<string, unknown> & { type: string }>>;
  /** Payloads, all legal in `framing`; given the config, since that may say how long they are. */
  readonly payload: (config: Readonly<Record<string, unknown>>) => fc.Arbitrary<Buffer>;
  /** Good frames that may be lost behind the garbage. */
  readonly mayLose: (config: Readonly<Record<string, unknown>>) => number;
  /** Good frames behind the garbage; default: 6 more than may be lost. */
  readonly count?: (config: Readonly<Record<string, unknown>>) => number;
  readonly runs?: number;
}

/** What has happened to the line: garbage of its own, a frame that lost bytes, a frame with wrong bytes. */
const harm = fc.record({
  noise: fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
  lostFrom: fc.double({ min: 0, max: 1, noNaN: true }),
  lost: fc.integer({ min: 0, max: 6 }),
  spoiltAt: fc.double({ min: 0, max: 1, noNaN: true }),
  spoiltBy: fc.integer({ min: 1, max: 255 }),
});

type Harm = typeof harm extends fc.Arbitrary<infer Value> ? Value : never;

/** Good frames, harm, good frames: of the latter none but the first `mayLose` are lost, and no frame is made up. */
export function resyncContract({ name, framing: shapes, payload, mayLose, count, runs = 300 }: ResyncFixture): void {
  test(`${name}: behind garbage and lost bytes the good frames come again`, (t) => {
    const cases = shapes.chain((shape) =>
      fc.tuple(
        fc.constant({ ...shape, checksum: { type: 'crc32' } }),
        fc.array(payload(shape), { minLength: 2, maxLength: 2 }),
        harm,
      ),
    );
    fc.assert(
      fc.property(cases, fc.integer({ min: 1, max: 5000 }), ([shape, payloads, what], chunk) => {
        const config = framing(shape);
        const wires = payloads.map((bytes) => makeFramer(config).wrap(bytes));
        const [first = Buffer.alloc(0), second = Buffer.alloc(0)] = wires;
        const after = Array.from({ length: count?.(shape) ?? mayLose(shape) + 6 }, (_, i) => i & 1);
        const stream = Buffer.concat([first, harmed(second, what), ...after.map((i) => wires[i] ?? first)]);
        const log = new FrameLog();
        const framer = makeFramer(config);
        for (let at = 0; at < stream.length; at += chunk) framer.push(stream.subarray(at, at + chunk), log);
        framer.flush('end', log);
        const [, ...found] = log.frames;
        t.true(found.length >= after.length - mayLose(shape), `${found.length} of ${after.length}`);
        const wanted = after.map((i) => payloads[i] ?? Buffer.alloc(0)).slice(-found.length);
        t.deepEqual(found.slice(-wanted.length), wanted);
      }),
      { numRuns: runs },
    );
  });
}

function harmed(wire: Buffer, { noise, lostFrom, lost, spoiltAt, spoiltBy }: Harm): Buffer {
  const from = Math.floor(lostFrom * (wire.length - 1));
  const torn = Buffer.concat([wire.subarray(0, from), wire.subarray(from + lost)]);
  const at = Math.floor(spoiltAt * (torn.length - 1));
  if (torn.length > 0) torn[at] = (torn[at] ?? 0) ^ spoiltBy;
  return Buffer.concat([torn, noise]);
}
