// One JSON object per line (NDJSON), as many microcontroller sketches print it. Published minified; numbers pass through
// JavaScript, so integers beyond 2^53 lose digits (use `lines` to pass the text on untouched). Blank lines are ignored.
//
//   set           {"led": true}      ->  {"led":true}      any JSON value, minified to one line
//   set/<channel> on                 ->  {"channel":"on"}  JSON if it is JSON, else text

import { type Decoded, type DriverCommand, defineDriver, type Encoded, type Reading, reject, z } from 'ferrule/driver';

const options = z.strictObject({
  /** Keys to publish; everything else is left out. Default: all. */
  fields: z.array(z.string().min(1)).min(1).optional(),
});

export default defineDriver({
  kind: 'framed',
  summary: 'One JSON object per line, up and down',
  options,
  defaults: { framing: { type: 'line', delimiter: '\n' } },
  commands: { '*': { summary: 'sends {"<channel>": value}' } },
  create: ({ fields }) => ({ decode: (frame) => decode(frame, fields), encode }),
});

const SNIPPET_CHARS = 40;

type Parsed = { readonly value: unknown } | { readonly error: string };

function parse(text: string): Parsed {
  try {
    return { value: JSON.parse(text) };
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}

function decode(frame: Buffer, fields: readonly string[] | undefined): Decoded {
  const text = frame.toString('utf8').trim();
  if (text === '') return undefined;
  const parsed = parse(text);
  if ('error' in parsed) return reject(`not JSON (${parsed.error}): ${snippet(text)}`);
  if (!isObject(parsed.value)) return reject(`JSON, but ${kindOf(parsed.value)}, not an object: ${snippet(text)}`);
  const reading = fields ? pick(parsed.value, fields) : parsed.value;
  // In a list, since alone `{"rejected": "text"}` from the device would read as a rejection.
  return reading ? [reading] : undefined;
}

function isObject(value: unknown): value is Reading {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'a list' : `a ${typeof value}`;
}

function snippet(text: string): string {
  return JSON.stringify(text.length > SNIPPET_CHARS ? `${text.slice(0, SNIPPET_CHARS)}…` : text);
}

/** The wanted fields that are there; undefined if none is. */
function pick(reading: Reading, fields: readonly string[]): Reading | undefined {
  const kept = fields.filter((field) => Object.hasOwn(reading, field)).map((field) => [field, reading[field]] as const);
  return kept.length > 0 ? (Object.fromEntries(kept) as Reading) : undefined; // values come from a Reading
}

function encode({ verb, channel, payload }: DriverCommand): Encoded {
  if (verb === 'get') return reject('the json-lines driver has nothing to ask for; it takes: set, set/<channel>');
  const text = payload.toString('utf8');
  const parsed = parse(text);
  if (channel !== undefined) return line({ [channel]: 'value' in parsed ? parsed.value : text });
  if ('error' in parsed) return reject(`the payload of set must be JSON (${parsed.error}): ${snippet(text)}`);
  return line(parsed.value);
}

function line(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}
