// The value kinds of the config file: durations, sizes, byte strings, ports. Each is a zod schema that takes what people
// write and gives what code uses (milliseconds, bytes, Buffers). JSON Schema is made from the input side.

import { z } from 'zod';

const DURATION = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/;
const DURATION_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const SIZE = /^(\d+(?:\.\d+)?)(B|KiB|MiB|GiB|kB|MB|GB)$/;
const SIZE_BYTES: Readonly<Record<string, number>> = {
  B: 1,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
  kB: 1000,
  MB: 1000 ** 2,
  GB: 1000 ** 3,
};

function amount(text: string | number, pattern: RegExp, units: Readonly<Record<string, number>>): number {
  if (typeof text === 'number') return Math.round(text);
  const match = pattern.exec(text);
  return Math.round(Number(match?.[1]) * (units[match?.[2] ?? ''] ?? Number.NaN));
}

interface Range {
  readonly min?: number;
  readonly max?: number;
}

function within(value: number, { min = 0, max = Number.MAX_SAFE_INTEGER }: Range): boolean {
  return value >= min && value <= max;
}

/** `250ms`, `30s`, `5m`, `2h`, `1d`, or plain milliseconds; gives milliseconds. `min` and `max` in ms. */
export function duration(range: Range = {}) {
  const words = `a duration such as 250ms, 30s or 5m${rangeWords(range, durationWords)}`;
  return z
    .union([z.number(), z.string().regex(DURATION, { error: words })], { error: words })
    .transform((text) => amount(text, DURATION, DURATION_MS))
    .refine((ms) => within(ms, range), { error: words });
}

/** `64KiB`, `8MiB`, `1MB`, or plain bytes; gives bytes. */
export function size(range: Range = {}) {
  const words = `a size such as 4KiB or 64MiB${rangeWords(range, sizeWords)}`;
  return z
    .union([z.number(), z.string().regex(SIZE, { error: words })], { error: words })
    .transform((text) => amount(text, SIZE, SIZE_BYTES))
    .refine((bytes) => within(bytes, range), { error: words });
}

function rangeWords({ min = 0, max }: Range, words: (value: number) => string): string {
  if (max === undefined) return min === 0 ? '' : `, at least ${words(min)}`;
  return `, ${words(min)} to ${words(max)}`;
}

function durationWords(ms: number): string {
  return inLargestUnit(ms, ['d', 'h', 'm', 's', 'ms'], DURATION_MS);
}

function sizeWords(bytes: number): string {
  return inLargestUnit(bytes, ['GiB', 'MiB', 'KiB', 'B'], SIZE_BYTES);
}

/** The value in the largest unit that divides it. */
function inLargestUnit(value: number, units: readonly string[], sizes: Readonly<Record<string, number>>): string {
  const unit = units.find((name) => value > 0 && value % (sizes[name] ?? 1) === 0);
  return unit === undefined ? String(value) : `${value / (sizes[unit] ?? 1)}${unit}`;
}

/**
 * Bytes: a string ("\r\n", "\x02", characters up to U+00FF are single bytes, beyond that UTF-8) or a list of byte values
 * ([0x02, 0x03]). Gives a Buffer.
 */
export function bytes(limits: { min?: number; max?: number } = {}) {
  const { min = 1, max = 64 } = limits;
  const words = `${min} to ${max} bytes, as a string ("\\r\\n") or a list of byte values ([0x0d, 0x0a])`;
  return z
    .union([z.string(), z.array(byte())], { error: words })
    .transform(toBytes)
    .refine((value) => value.length >= min && value.length <= max, { error: words });
}

function byte() {
  const error = 'a byte, 0 to 255';
  return z.int({ error }).min(0, { error }).max(255, { error });
}

function toBytes(value: string | readonly number[]): Buffer {
  if (typeof value !== 'string') return Buffer.from(value);
  const isSingleByte = [...value].every((char) => (char.codePointAt(0) ?? 0) <= 0xff);
  return Buffer.from(value, isSingleByte ? 'latin1' : 'utf8');
}

/** A whole number from `min` to `max`. */
export function integer(min: number, max: number) {
  const words = `an integer from ${min} to ${max}`;
  return z
    .int({ error: min >= 1 ? 'a positive integer' : 'an integer' })
    .min(min, { error: words })
    .max(max, { error: words });
}

/** A TCP port, 1 to 65535; `min` 0 where the system may choose. */
export function port(min: 0 | 1 = 1) {
  const error = `a port, ${min} to 65535`;
  return z.int({ error }).min(min, { error }).max(65535, { error });
}

/** One of a few numbers, such as 1 or 2 stop bits. */
export function oneOf<const Values extends readonly [number, ...number[]]>(...values: Values) {
  const words = `${values.slice(0, -1).join(', ')} or ${values.at(-1)}`;
  return z.union(
    values.map((value) => z.literal(value)),
    { error: words },
  ) as unknown as z.ZodUnion<readonly z.ZodLiteral<Values[number]>[]>; // map() forgets which numbers
}

/** A regular expression of JavaScript, as text. */
export function regExp() {
  return z.string().min(1).max(1024).refine(isRegExp, { error: 'a regular expression' });
}

function isRegExp(text: string): boolean {
  try {
    new RegExp(text);
    return true;
  } catch {
    return false;
  }
}

/**
 * A check whose message is a whole sentence, shown as it is instead of behind "expected ..., got ...". For `refine`.
 */
export function sentence(text: string): { error: string; params: { sentence: true } } {
  return { error: text, params: { sentence: true } };
}

/** A map, or `false` for none of it. */
export function orFalse<Schema extends z.ZodType>(schema: Schema) {
  return z.union([schema, z.literal(false)]);
}
