// SCPI instruments (power supplies, multimeters, sources) over LAN (usually port 5025) or serial: text lines, and an error queue that
// is asked after each command, so that a refused command is told to its sender. Binary blocks (#...) are not read.
//
//   set           OUTP ON        ->  OUTP ON, SYST:ERR?            ok, or error with the instrument's words
//   set           MEAS:VOLT?     ->  MEAS:VOLT?                    a query: its answer is the data, and a reading
//   set/<channel> 12.5           ->  VOLT 12.5, SYST:ERR?          with options.set: { voltage: 'VOLT {value}' }
//   get, get/<channel>           ->  MEAS:VOLT?                    with options.readings: { voltage: 'MEAS:VOLT?' }
//
// A poll begins with SYST:ERR?, so that its answer is never taken for that of a command: 0,"No error";12.5;0.1
// The queue gives its oldest error first. Where it may hold old ones (a query that had no answer, more than one error of a command,
// whatever was before us) a command begins with *CLS: else it would be told to have failed for what went wrong before it.

import {
  type Confirmation,
  type Decoded,
  type DriverCommand,
  type DriverInstance,
  defineDriver,
  type Encoded,
  type ReadingValue,
  reject,
  z,
} from 'ferrule/driver';

const query = z.string().regex(/^[^\r\n;]+\?[^\r\n;]*$/, { error: 'a query such as MEAS:VOLT?, without ;' });
const template = z
  .string()
  .regex(/^[^\r\n]*\{value\}[^\r\n]*$/, { error: 'a command with {value} in it, such as VOLT {value}' });

const options = z.strictObject({
  /** Channel -> query that reads it: `{ voltage: 'MEAS:VOLT?' }`. Asked by `get` and on the schedule of `every`. */
  readings: z.record(z.string().min(1), query).default({}),
  /** ms between two readings; 0 = only on `get`. */
  every: z.number().int().min(0).max(86_400_000).default(0),
  /** Channel -> command that sets it: `{ voltage: 'VOLT {value}' }`. */
  set: z.record(z.string().min(1), template).default({}),
  /** What is asked after a command: `error` the error queue (SYST:ERR?), `complete` whether it is done (*OPC?). */
  check: z.enum(['error', 'complete']).default('error'),
});

type Options = z.output<typeof options>;

export default defineDriver({
  kind: 'framed',
  summary: 'SCPI instruments: commands with error check, queries, readings on a schedule',
  options,
  defaults: { baud_rate: 9600, framing: { type: 'line', delimiter: '\n' } },
  create,
  poll: ({ readings, every }) => {
    const queries = Object.values(readings);
    const payload = Buffer.from(inOneLine([ERROR_QUERY, ...queries]));
    return every > 0 && queries.length > 0 ? [{ payload, everyMs: every }] : [];
  },
});

const ERROR_QUERY = 'SYST:ERR?';
const CLEAR = '*CLS';
/** A quote within quotes is written twice (IEEE 488.2, 8.7.8). */
const ERROR = /^([+-]?\d+),\s*"(?:[^"]|"")*"$/;
const POLLED = /^([+-]?\d+,\s*"(?:[^"]|"")*");(.*)$/;
/** From here on SCPI means "not a number" (9.91E37) or infinity (9.9E37). */
const NO_NUMBER = 9.9e37;

/** What a command becomes, and what its answer is. */
interface Plan {
  readonly lines: readonly string[];
  readonly expects: 'values' | 'error' | 'complete';
  /** Names of the values; none for a query of the sender's own. */
  readonly channels: readonly string[];
}

function create(given: Options): DriverInstance {
  const polled = Object.keys(given.readings);
  /** What the frame that has just been confirmed holds; `decode` comes next. */
  let confirmed: { readonly query: string; readonly channels: readonly string[] } | undefined;
  /** The error queue may hold what is none of the next command's; a query that is not answered puts something there. */
  let hasOldErrors = true;
  let isAsking = false;
  return {
    encode(command): Encoded {
      const plan = planOf(command, given);
      if (typeof plan === 'string') return reject(plan);
      hasOldErrors ||= isAsking;
      isAsking = plan.expects === 'values';
      const clears = hasOldErrors && plan.expects === 'error';
      if (clears) hasOldErrors = false;
      return [...(clears ? [CLEAR] : []), ...plan.lines].map((line) => Buffer.from(line));
    },
    confirm(frame, command): Confirmation | undefined {
      const plan = planOf(command, given);
      const text = textOf(frame);
      if (typeof plan === 'string' || text === '' || POLLED.test(text)) return undefined;
      if (plan.expects !== 'values') {
        const answer = checked(text, plan.expects);
        hasOldErrors ||= answer?.ok === false;
        return answer;
      }
      isAsking = false;
      const { channels, lines } = plan;
      confirmed = { query: lines.join(), channels };
      return { ok: true, data: named(text, channels, lines.join()), isReading: true };
    },
    decode(frame): Decoded {
      const text = textOf(frame);
      const [known, match] = [confirmed, POLLED.exec(text)];
      confirmed = undefined;
      if (known !== undefined) return [named(text, known.channels, known.query)];
      if (match) return polledReading(match, polled);
      return text === '' ? undefined : reject(`nobody has asked: ${text.slice(0, 80)}`);
    },
  };
}

function textOf(frame: Buffer): string {
  return frame.toString('latin1').trim();
}

/** The plan for a command, or why there is none. Pure: asked again for the answer. */
function planOf({ verb, channel, payload }: DriverCommand, { readings, set, check }: Options): Plan | string {
  const text = payload.toString('latin1').trim();
  if (/[\r\n]/.test(text)) return 'one command at a time: the payload has several lines';
  if (verb === 'get') return readPlan(channel, readings);
  if (channel === undefined && isQuery(text)) return { lines: [text], expects: 'values', channels: [] };
  const line = channel === undefined ? text : own(set, channel)?.replaceAll('{value}', () => text);
  if (line === undefined) return `no channel "${channel}" in options.set; it has: ${listed(set)}`;
  if (text === '') return 'the payload is empty: expected a command, a query or a value';
  return { lines: [line, check === 'error' ? ERROR_QUERY : '*OPC?'], expects: check, channels: [] };
}

function isQuery(text: string): boolean {
  return text.replace(/"[^"]*"|'[^']*'/g, '').includes('?'); // a text for the display may ask something too
}

function readPlan(channel: string | undefined, readings: Options['readings']): Plan | string {
  const asked =
    channel === undefined ? Object.keys(readings) : [channel].filter((name) => Object.hasOwn(readings, name));
  if (asked.length === 0) return `nothing to read: options.readings has ${listed(readings)}`;
  return { lines: [inOneLine(asked.map((name) => readings[name] ?? ''))], expects: 'values', channels: asked };
}

/** Each from the root of the command tree, which a colon goes back to (SCPI-99 vol. 1, 6.2.4); common queries (*IDN?) are in none. */
function inOneLine(queries: readonly string[]): string {
  return queries.map((query, at) => (at === 0 || /^\s*[:*]/.test(query) ? query : `:${query}`)).join(';');
}

/** What a line says about the command before it; undefined where it is another line. */
function checked(text: string, expects: 'error' | 'complete'): Confirmation | undefined {
  if (expects === 'complete') return Number(text) === 1 ? { ok: true } : undefined;
  const match = ERROR.exec(text);
  if (!match) return undefined;
  return Number(match[1]) === 0 ? { ok: true } : { ok: false, reason: `the instrument says: ${text}` };
}

function polledReading([, error = '', text = '']: RegExpExecArray, channels: readonly string[]): Decoded {
  const values = valuesOf(text);
  if (values.length !== channels.length) return reject(`${values.length} values, expected ${channels.length}`);
  const reading = Object.fromEntries(channels.map((channel, at) => [channel, values[at] ?? null]));
  return [Number.parseInt(error, 10) === 0 ? reading : { ...reading, error }];
}

/** The values of an answer: by channel, or under `value` with the query that was asked. */
function named(text: string, channels: readonly string[], asked: string): Readonly<Record<string, ReadingValue>> {
  const values = valuesOf(text);
  if (channels.length === 0) return { query: asked, value: values.length === 1 ? (values[0] ?? null) : values };
  return Object.fromEntries(channels.map((channel, at) => [channel, values[at] ?? null]));
}

/** Answers to several queries on one line are separated by `;`, though not within quotes. */
function valuesOf(text: string): ReadingValue[] {
  return (text.match(/(?:"[^"]*"|[^;"])+/g) ?? []).map((part) => scalarOf(part.trim()));
}

function scalarOf(text: string): ReadingValue {
  const quoted = /^"((?:[^"]|"")*)"$/.exec(text);
  if (quoted) return quoted[1]?.replaceAll('""', '"') ?? '';
  if (!/^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(text)) return text;
  const value = Number(text);
  return Math.abs(value) >= NO_NUMBER ? null : value;
}

function own(map: Readonly<Record<string, string>>, key: string): string | undefined {
  return Object.hasOwn(map, key) ? map[key] : undefined;
}

function listed(map: object): string {
  return Object.keys(map).join(', ') || 'none';
}
