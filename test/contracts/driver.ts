// The tests that each driver gets for nothing. Call `driverContract` once in the driver's test file with a recording of
// what the device sends; `decodeAll` serves the driver's own tests too.

import test from 'ava';
import { framingSchema } from '../../src/config/framing-schema.js';
import { Decoder } from '../../src/device/decoder.js';
import type { Channel, FramedDriver } from '../../src/device/driver.js';
import { makeFramer } from '../../src/device/make-framer.js';
import { CollectingSink } from '../support/collecting-sink.js';
import { fc } from '../support/properties.js';

/** What a device sends, and the options to read it with. */
export interface DriverFixture {
  /** For the titles: the device, the file. */
  readonly name: string;
  readonly stream: Buffer;
  /** As in the config file; default: none. */
  readonly options?: Readonly<Record<string, unknown>>;
}

const FRAMER_OVERHEAD = 64; // delimiters, escapes and headers that a framer may hold beside `max_length` of payload

/** A decoder with the driver's own framing. */
export function decoderOf(
  driver: FramedDriver,
  sink: CollectingSink,
  options: Readonly<Record<string, unknown>> = {},
): Decoder {
  const framer = makeFramer(framingOf(driver));
  const instance = driver.create(driver.options.parse(options));
  return new Decoder({ framer, instance, out: sink, commands: driver.commands });
}

function framingOf(driver: FramedDriver) {
  return framingSchema.parse(driver.defaults?.framing ?? { type: 'line' });
}

/** Decodes chunks as they come; the line goes quiet only after the last one, then the link is lost. */
export function decodeAll(
  driver: FramedDriver,
  chunks: readonly Buffer[],
  options?: Readonly<Record<string, unknown>>,
): CollectingSink {
  const sink = new CollectingSink();
  const decoder = decoderOf(driver, sink, options);
  for (const chunk of chunks) decoder.push(chunk);
  decoder.flush('gap');
  decoder.settle();
  decoder.flush('end');
  return sink;
}

/** Registers the tests. A driver with `raw` framing has no frames of its own: there, the bytes in a row must be the same. */
export function driverContract(driver: FramedDriver, fixture: DriverFixture): void {
  const isRaw = framingOf(driver).type === 'raw';
  const readingsOf = (chunks: readonly Buffer[]): readonly string[] | string => {
    const { texts } = decodeAll(driver, chunks, fixture.options);
    return isRaw ? texts.join('') : texts;
  };

  test(`${fixture.name}: the fixture gives readings`, (t) => {
    t.not(readingsOf([fixture.stream]).length, 0);
  });

  test(`${fixture.name}: any chunking gives the same readings`, (t) => {
    const whole = readingsOf([fixture.stream]);
    t.deepEqual(readingsOf(cut(fixture.stream, allOffsets(fixture.stream))), whole, 'byte by byte');
    const cuts = fc.array(fc.nat(fixture.stream.length), { maxLength: 20 });
    fc.assert(
      fc.property(cuts, (at) => t.deepEqual(readingsOf(cut(fixture.stream, at)), whole)),
      { numRuns: 50 },
    );
  });

  test(`${fixture.name}: random bytes never throw and never pile up`, (t) => {
    fc.assert(
      fc.property(garbled(fixture.stream), (chunks) => neverPilesUp(driver, chunks, fixture.options)),
      { numRuns: 100 },
    );
    t.pass();
  });

  test(`${fixture.name}: readings are what the driver's channels say`, (t) => {
    const { channels } = driver;
    const publishesBytes = driver.create(driver.options.parse(fixture.options ?? {})).decode === undefined;
    const readings = publishesBytes ? [] : decodeAll(driver, [fixture.stream], fixture.options).objects;
    for (const reading of readings) t.deepEqual(channelFaults(reading, channels), []);
    t.pass();
  });
}

function cut(stream: Buffer, at: readonly number[]): Buffer[] {
  const offsets = [0, ...[...at].sort((a, b) => a - b), stream.length];
  return offsets.slice(1).map((end, i) => Buffer.from(stream.subarray(offsets[i], end)));
}

function allOffsets(stream: Buffer): number[] {
  return Array.from(stream.keys()).slice(1);
}

/** Chunks of noise, of the fixture, and of the fixture with bytes changed. */
function garbled(stream: Buffer): fc.Arbitrary<Buffer[]> {
  const noise = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes));
  const span = fc.tuple(fc.nat(stream.length), fc.nat(200), fc.nat(255), fc.nat(200));
  const damaged = span.map(([from, length, byte, at]) => {
    const piece = Buffer.from(stream.subarray(from, from + length));
    if (at < piece.length) piece[at] = byte;
    return piece;
  });
  return fc.array(fc.oneof(noise, damaged), { maxLength: 30 });
}

function neverPilesUp(driver: FramedDriver, chunks: readonly Buffer[], options: DriverFixture['options']): boolean {
  const decoder = decoderOf(driver, new CollectingSink(), options);
  const limit = framingOf(driver).max_length + FRAMER_OVERHEAD;
  return chunks.every((chunk) => {
    decoder.push(chunk);
    return decoder.held <= limit;
  });
}

/** What in a reading does not agree with the declared channels. */
function channelFaults(reading: unknown, channels: Readonly<Record<string, Channel>> | undefined): string[] {
  if (typeof reading !== 'object' || reading === null || Array.isArray(reading)) return ['not an object'];
  if (channels === undefined) return [];
  return Object.entries(reading).flatMap(([key, value]) => {
    const channel = channels[key];
    if (channel === undefined) return [`${key} is not declared`];
    return value === null || typeof value === channel.type
      ? []
      : [`${key} is a ${typeof value}, not a ${channel.type}`];
  });
}
