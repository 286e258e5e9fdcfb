// What a channel can be told, as a table: words (`on`), shapes (`{"blink": 500}`), and what a bare value stands for (`90`). An
// order that is none of it is answered with all that is.

import { type ReadingValue, z } from 'ferrule/driver';

/** What the channel's value is after it; undefined leaves it as it was. */
type Outcome = ReadingValue | undefined;

/** One shape of an order: `key` tells it from the others, `example` is what people are shown. */
interface Shape {
  readonly key: string;
  readonly example: string;
  readonly schema: z.ZodType;
  readonly run: (args: never) => Outcome;
}

export interface Orders {
  readonly words?: Readonly<Record<string, () => Outcome>>;
  readonly shapes?: readonly Shape[];
  /** Key of the shape that a bare number or other text stands for. */
  readonly bare?: string;
}

/** A shape with the types of its schema. */
export function shape<T extends z.ZodRawShape>(
  key: string,
  example: string,
  fields: T,
  run: (args: z.output<z.ZodObject<T>>) => Outcome,
): Shape {
  return { key, example, schema: z.strictObject(fields), run };
}

/** Carries out what is wanted and notes the outcome; answers the sentence why not. What the library throws is one too. */
export function obey(orders: Orders, wanted: unknown, note: (value: ReadingValue) => void): string | undefined {
  try {
    const found = isObject(wanted) ? byShape(orders, wanted) : byWord(orders, wanted);
    if (typeof found === 'string') return found;
    const outcome = found();
    if (outcome !== undefined) note(outcome);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** All that `orders` accepts, for an error. */
export function accepted({ words = {}, shapes = [], bare }: Orders): string {
  const state = Object.keys(words).length > 0 ? [`{"state": "${Object.keys(words).join('" | "')}"}`] : [];
  const alone = bare === undefined ? [] : [`a bare ${bare}`];
  return [...Object.keys(words), ...alone, ...state, ...shapes.map(({ example }) => example)].join(', ');
}

/** What to run, or the sentence why there is nothing. */
function byWord(orders: Orders, wanted: unknown): (() => Outcome) | string {
  const word = typeof wanted === 'boolean' ? (wanted ? 'on' : 'off') : wanted;
  const run = typeof word === 'string' && Object.hasOwn(orders.words ?? {}, word) ? orders.words?.[word] : undefined;
  if (run !== undefined) return run;
  if (orders.bare !== undefined && (typeof wanted === 'number' || typeof wanted === 'string')) {
    return byShape(orders, { [orders.bare]: wanted });
  }
  return wrong(orders, wanted);
}

function byShape(orders: Orders, wanted: Readonly<Record<string, unknown>>): (() => Outcome) | string {
  const keys = Object.keys(wanted);
  if (keys.length === 1 && keys[0] === 'state') return byWord({ words: orders.words ?? {} }, wanted.state);
  const found = orders.shapes?.find(({ key }) => key in wanted);
  if (found === undefined) return wrong(orders, wanted);
  const { data, error } = found.schema.safeParse(wanted);
  if (error) return `expected ${found.example}, got ${JSON.stringify(wanted)}: ${reasons(error)}`;
  return () => found.run(data as never); // of that schema: `shape` has tied the two
}

function reasons({ issues }: z.ZodError): string {
  return issues.map(({ path, message }) => [...path, message].join(': ')).join('; ');
}

function wrong(orders: Orders, wanted: unknown): string {
  return `got ${JSON.stringify(wanted) ?? String(wanted)}; it accepts: ${accepted(orders)}`;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
