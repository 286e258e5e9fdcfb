// Records for tests of the spool, made by hand, by fast-check, and from numbers that can be read back.

import type { SpoolBlock, SpoolRecord } from '../../src/spool/record.js';
import { fc } from './properties.js';

/** When the messages of `recordOf` were read, unless it is told. */
export const READ_AT = Date.UTC(2026, 0, 1);

/** A record of these messages. */
export function recordOf(device: string, messages: readonly string[], at = READ_AT): SpoolRecord {
  return {
    what: 'readings',
    device,
    qos: 1,
    retain: false,
    at,
    batch: batchOf(messages.map((text) => Buffer.from(text))),
  };
}

/** A record of `count` messages of `size` bytes. */
export function bulk(device: string, count: number, size: number, at = READ_AT): SpoolRecord {
  return recordOf(
    device,
    Array.from({ length: count }, (_, index) => `${index} `.padEnd(size, 'x').slice(0, size)),
    at,
  );
}

/** Messages one behind the other in a buffer. */
export function batchOf(messages: readonly Buffer[]): SpoolRecord['batch'] {
  let end = 0;
  const bounds: number[] = [];
  for (const { length } of messages) {
    bounds.push(end, end + length);
    end += length;
  }
  return { bytes: Buffer.concat(messages), bounds };
}

/** The messages of records, as `device:text`. */
export function textsIn(records: readonly SpoolRecord[]): string[] {
  return records.flatMap(({ device, batch }) => {
    const texts: string[] = [];
    for (let i = 0; i + 1 < batch.bounds.length; i += 2) {
      texts.push(`${device}:${batch.bytes.toString('latin1', batch.bounds[i], batch.bounds[i + 1])}`);
    }
    return texts;
  });
}

/** The messages of blocks, as `device:text`. */
export function textsOf(blocks: readonly SpoolBlock[]): string[] {
  return blocks.flatMap(({ records }) => textsIn(records));
}

/** Any record. */
export const anyRecord: fc.Arbitrary<SpoolRecord> = fc.record({
  what: fc.constantFrom('readings' as const, 'dead-letter' as const),
  device: fc.string({ unit: 'grapheme', maxLength: 40 }),
  qos: fc.constantFrom(0 as const, 1 as const),
  retain: fc.boolean(),
  at: fc.oneof(fc.integer({ min: 0, max: 4e12 }), fc.double({ noNaN: true })),
  batch: fc
    .array(fc.uint8Array({ maxLength: 300 }), { maxLength: 12 })
    .map((parts) => batchOf(parts.map((part) => Buffer.from(part)))),
});
