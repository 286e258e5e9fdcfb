// What every framer promises, run against each framing: `framerContract({...})` in the framer's test file. `cut` and
// `framing` serve the framers' own tables.

import test from 'ava';
import { type FramingConfig, framingSchema } from '../../src/config/framing-schema.js';
import type { Framer } from '../../src/device/framer.js';
import { makeFramer } from '../../src/device/make-framer.js';
import { FrameLog } from '../support/frame-log.js';
import { fc } from '../support/properties.js';

/** A framing under test. */
export interface FramerFixture {
  /** For the titles. */
  readonly name: string;
  /** As in the config file. */
  readonly framing: Readonly<Record<string, unknown> & { type: string }>;
  /** Bytes that mean something to this framing; streams are made mostly of these. */
  readonly alphabet: readonly number[];
  /** The most that may ever be held, in bytes; default: `max_length`. */
  readonly maxHeld?: number;
  /** The same with a checksum; default: as without. */
  readonly maxHeldChecked?: number;
  /** Bytes that each payload must begin with. */
  readonly prefix?: readonly number[];
  /** Which payloads survive the way down and up again; default: all. `false`: `wrap` has no inverse. */
  readonly isLegal?: ((payload: Buffer, wire: Buffer) => boolean) | false;
}

/** A framing config with its defaults, as from the config file. */
export function framing(config: Readonly<Record<string, unknown>>): FramingConfig {
  return framingSchema.parse(config);
}

/** The events of these chunks and a loss of the link (or another flush). Text is latin1. */
export function cut(
  config: Readonly<Record<string, unknown>>,
  chunks: readonly (string | Buffer)[],
  flush: 'end' | 'gap' | 'none' = 'end',
): string[] {
  const framer = makeFramer(framing(config));
  const log = new FrameLog();
  for (const chunk of chunks) framer.push(toBuffer(chunk), log);
  if (flush !== 'none') framer.flush(flush, log);
  return log.events;
}

function toBuffer(chunk: string | Buffer): Buffer {
  return typeof chunk === 'string' ? Buffer.from(chunk, 'latin1') : chunk;
}

const RUNS = 300;
const SPOILT = 0xdd;
/** Of the longest one. */
const CHECKSUM_SIZE = 4;
const CHECKSUM_TYPES = ['crc16-modbus', 'crc16-ccitt', 'crc16-xmodem', 'crc8', 'crc32', 'sum8', 'xor8'] as const;

/** Registers the tests: with the framing as it is, and with checksums (not for `raw`). */
export function framerContract(fixture: FramerFixture): void {
  registerStreams(fixture);
  registerRoundTrip(fixture);
  if (fixture.framing.type === 'raw') return;
  registerStreams(checkedBy('sum8', fixture));
  for (const type of CHECKSUM_TYPES) registerRoundTrip(checkedBy(type, fixture));
}

function checkedBy(type: (typeof CHECKSUM_TYPES)[number], fixture: FramerFixture): FramerFixture {
  const checksum = { type, endian: type === 'crc16-modbus' ? 'little' : 'big' };
  const maxHeld = fixture.maxHeldChecked ?? fixture.maxHeld;
  return {
    ...fixture,
    ...(maxHeld !== undefined && { maxHeld }),
    name: `${fixture.name}, ${type}`,
    framing: { ...fixture.framing, checksum },
  };
}

function registerStreams(fixture: FramerFixture): void {
  const { name } = fixture;
  const config = framing(fixture.framing);
  const stream = streamOf(fixture, config);

  if (config.type !== 'raw') {
    test(`${name}: any chunking of a stream gives the same frames and junk`, (t) => {
      fc.assert(
        fc.property(fc.array(stream, { minLength: 1, maxLength: 3 }), cuts, (parts, sizes) => {
          const expected = eventsOf(config, parts, [Number.POSITIVE_INFINITY]).log.events;
          t.deepEqual(eventsOf(config, parts, sizes).log.events, expected);
          t.deepEqual(eventsOf(config, parts, [1]).log.events, expected);
        }),
        { numRuns: RUNS },
      );
    });
  }

  test(`${name}: no bytes make it throw, hold more than its limit, or change what it handed out`, (t) => {
    const maxHeld = fixture.maxHeld ?? config.max_length;
    fc.assert(
      fc.property(fc.array(fc.oneof(stream, noise), { minLength: 1, maxLength: 3 }), cuts, (parts, sizes) => {
        const { log, mostHeld, heldAfterFlush } = eventsOf(config, parts, sizes);
        t.true(log.isIntact);
        t.true(mostHeld <= maxHeld, `${mostHeld} held`);
        t.is(heldAfterFlush, 0);
      }),
      { numRuns: RUNS },
    );
  });

  test(`${name}: it keeps nothing of a chunk, whose memory may be used for the next one`, (t) => {
    fc.assert(
      fc.property(fc.array(fc.oneof(stream, noise), { minLength: 1, maxLength: 3 }), cuts, (parts, sizes) => {
        const spoil = (chunk: Buffer): Buffer => chunk.fill(SPOILT);
        t.deepEqual(eventsOf(config, parts, sizes, spoil).log.events, eventsOf(config, parts, sizes).log.events);
      }),
      { numRuns: RUNS },
    );
  });
}

function registerRoundTrip({ name, framing: raw, alphabet, prefix = [], isLegal = () => true }: FramerFixture): void {
  if (isLegal === false) return;
  const config = framing(raw);
  const maxLength = config.type === 'fixed' ? config.length : config.max_length;
  const minLength = config.type === 'fixed' ? Math.max(0, config.length - CHECKSUM_SIZE) : 1;
  const payload = fc.array(fc.oneof(fc.constantFrom(...alphabet), fc.nat(255)), { minLength, maxLength });
  test(`${name}: what goes down the wire comes up again as it was`, (t) => {
    let tried = 0;
    fc.assert(
      fc.property(payload, cuts, (bytes, sizes) => {
        const sent = Buffer.from([...prefix, ...bytes]);
        const wire = wireOf(makeFramer(config), sent);
        if (!wire || !fits(config, sent, wire) || !isLegal(sent, wire)) return;
        tried++;
        const { log } = eventsOf(config, [wire], sizes);
        t.deepEqual(Buffer.concat(log.frames), sent);
        if (config.type !== 'raw') t.is(log.events.length, 1);
      }),
      { numRuns: RUNS },
    );
    t.true(tried > 0, 'no payload was legal');
  });
}

/** Undefined where the framing has no way to say this payload. */
function wireOf(framer: Framer, payload: Buffer): Buffer | undefined {
  try {
    return framer.wrap(payload);
  } catch {
    return undefined;
  }
}

/** Leaves room for the longest checksum; fixed frames have the one right length. */
function fits(config: FramingConfig, payload: Buffer, wire: Buffer): boolean {
  if (config.type === 'fixed') return wire.length === config.length;
  return payload.length > 0 && payload.length + CHECKSUM_SIZE <= config.max_length;
}

const cuts = fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 20 });
const noise = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes));

/** Bytes of the alphabet, any bytes, and whole frames, in a row. */
function streamOf({ alphabet }: FramerFixture, config: FramingConfig): fc.Arbitrary<Buffer> {
  const meaningful = fc.array(fc.constantFrom(...alphabet), { maxLength: 40 }).map((bytes) => Buffer.from(bytes));
  const short = fc.uint8Array({ maxLength: 12 }).map((bytes) => Buffer.from(bytes));
  const frame = short.map((payload) => wireOf(makeFramer(config), payload) ?? payload);
  const piece = fc.oneof({ weight: 3, arbitrary: meaningful }, short, { weight: 2, arbitrary: frame });
  return fc.array(piece, { maxLength: 10 }).map((pieces) => Buffer.concat(pieces));
}

interface Outcome {
  readonly log: FrameLog;
  readonly mostHeld: number;
  readonly heldAfterFlush: number;
}

/** Runs the parts through one framer, each in chunks of `sizes` (again and again), with a gap after each part. */
function eventsOf(
  config: FramingConfig,
  parts: readonly Buffer[],
  sizes: readonly number[],
  after: (chunk: Buffer) => void = () => {},
): Outcome {
  const framer = makeFramer(config);
  const log = new FrameLog();
  let mostHeld = 0;
  let heldAfterFlush = 0;
  for (const part of parts) {
    for (const chunk of chunksOf(part, sizes)) {
      framer.push(chunk, log);
      after(chunk);
      mostHeld = Math.max(mostHeld, framer.held);
    }
    framer.flush('gap', log);
    heldAfterFlush = Math.max(heldAfterFlush, framer.held);
  }
  return { log, mostHeld, heldAfterFlush };
}

function* chunksOf(bytes: Buffer, sizes: readonly number[]): Generator<Buffer> {
  let turn = 0;
  for (let at = 0; at < bytes.length; ) {
    const to = Math.min(bytes.length, at + (sizes[turn++ % sizes.length] ?? 1));
    yield Buffer.from(bytes.subarray(at, to));
    at = to;
  }
}
