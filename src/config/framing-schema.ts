// How bytes are cut into frames: the `framing` key of a device. `device/framer.ts` makes framers from these.

import { z } from 'zod';
import { bytes, duration, integer, oneOf, regExp, size } from './values.js';

/**
 * Checksum at the end of a frame. Names follow the field (crccalc.com): crc16-modbus, crc16-ccitt (CCITT-FALSE),
 * crc16-xmodem, crc8, crc32 (ISO-HDLC), sum8 (sum modulo 256), xor8 (XOR of all bytes).
 */
export const checksumSchema = z.strictObject({
  type: z
    .enum(['crc16-modbus', 'crc16-ccitt', 'crc16-xmodem', 'crc8', 'crc32', 'sum8', 'xor8'])
    .describe('crc16-modbus, crc16-ccitt (CCITT-FALSE), crc16-xmodem, crc8, crc32 (ISO-HDLC), sum8 or xor8'),
  endian: z
    .enum(['little', 'big'])
    .default('little')
    .describe('Byte order of the checksum on the wire (Modbus RTU: little)'),
});

const shared = {
  max_length: size({ min: 1, max: 1024 ** 2 })
    .prefault('4KiB')
    .describe('A longer frame is junk (`too-long`); bounds the memory of the framer'),
  checksum: checksumSchema.optional().describe('Checksum at the end of each frame; frames that fail it are junk'),
};

/** Ends at a delimiter, which is not part of the frame. */
export const lineFraming = z.strictObject({
  type: z.literal('line'),
  delimiter: bytes({ max: 16 }).prefault('\n').describe('Bytes that end a frame; not part of it'),
  ...shared,
});

/** Every `length` bytes are a frame, checksum included. `length` bounds the memory here; `max_length` has no effect. */
export const fixedFraming = z.strictObject({
  type: z.literal('fixed'),
  length: integer(1, 65536).describe('Bytes of a frame, checksum included'),
  ...shared,
});

/**
 * A length field says how much follows. The frame handed on is what follows the length field (without checksum);
 * bytes before the length field (`offset`) are kept in front of it.
 */
export const lengthPrefixFraming = z
  .strictObject({
    type: z.literal('length-prefix'),
    length_bytes: oneOf(1, 2, 4).default(2).describe('Bytes of the length field'),
    endian: z.enum(['little', 'big']).default('big').describe('Byte order of the length field'),
    offset: integer(0, 64).default(0).describe('Header bytes before the length field'),
    adjust: integer(-64, 64)
      .default(0)
      .describe('Added to the field to get the bytes that follow it (checksum included), e.g. -2 if it counts itself'),
    start: bytes({ max: 16 })
      .optional()
      .describe('Bytes that each frame begins with (first of the `offset` bytes): used to resync'),
    ...shared,
  })
  .refine(({ start, offset }) => (start?.length ?? 0) <= offset, {
    path: ['start'],
    error: 'at most as many bytes as `offset`: the start is the first of them',
  });

/** Between a start and an end marker (STX ... ETX); the markers are not part of the frame. */
export const startEndFraming = z.strictObject({
  type: z.literal('start-end'),
  start: bytes({ max: 16 }).prefault([0x02]).describe('Marker before a frame; not part of it'),
  end: bytes({ max: 16 }).prefault([0x03]).describe('Marker after a frame; not part of it'),
  ...shared,
});

/** A pause of `gap` on the line ends a frame (Modbus RTU: 3.5 characters). */
export const silenceFraming = z.strictObject({
  type: z.literal('silence'),
  gap: duration({ min: 1, max: 60_000 }).prefault('5ms').describe('A pause this long ends a frame'),
  ...shared,
});

/** SLIP, RFC 1055. */
export const slipFraming = z.strictObject({ type: z.literal('slip'), ...shared });

/** Consistent Overhead Byte Stuffing (Cheshire & Baker 1997), frames end with a zero byte. */
export const cobsFraming = z.strictObject({ type: z.literal('cobs'), ...shared });

const pattern = regExp().describe(
  'A frame is what this matches (latin1 text) and ends as soon as it does; group 1, if any, is the frame',
);

/**
 * A frame is what the regular expression matches; text (latin1). Group 1, if any, is the frame. It ends with the first byte
 * at which the pattern matches, so the pattern must say what ends a frame: `(\d+)\r\n`, not `\d+`.
 */
export const regexFraming = z.strictObject({ type: z.literal('regex'), pattern, ...shared });

/** No framing: every chunk is a frame, as it comes. Nothing is held (`max_length` has no effect), nothing can be checked. */
export const rawFraming = z.strictObject({ type: z.literal('raw'), max_length: shared.max_length });

export const framingSchema = z.discriminatedUnion('type', [
  lineFraming,
  fixedFraming,
  lengthPrefixFraming,
  startEndFraming,
  silenceFraming,
  slipFraming,
  cobsFraming,
  regexFraming,
  rawFraming,
]);

export type FramingConfig = z.output<typeof framingSchema>;
export type FramingOf<Type extends FramingConfig['type']> = Extract<FramingConfig, { type: Type }>;
export type ChecksumConfig = z.output<typeof checksumSchema>;
