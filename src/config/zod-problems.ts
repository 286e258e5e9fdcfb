// zod's issues -> Problems in Ferrule's words: places, "expected ..., got ...", nearest known key. Used for the config
// itself and, by later layers, for the options that a driver checks with a schema of its own.

import type { z } from 'zod';
import { knownKeys } from './known-keys.js';
import { suggestion } from './nearest.js';
import { type ConfigPath, formatPath, type Problem } from './problem.js';
import { type ConfigSource, problemAt } from './source.js';

type Issue = z.core.$ZodIssue;
type Located = Pick<ConfigSource, 'locate' | 'locateKey' | 'show' | 'isBroken'>;

/**
 * Problems for everything that `error` complains of.
 * @param basePath where `value` stands in the config
 * @param value what was parsed
 * @param schema what it was parsed with: gives the known keys for "did you mean"
 */
export function zodProblems(
  source: Located,
  basePath: ConfigPath,
  value: unknown,
  error: z.core.$ZodError,
  schema?: z.ZodType,
): Problem[] {
  return error.issues
    .flatMap((issue) => issuesWithin(issue, value))
    .flatMap((issue) => {
      const inner = pathOf(issue);
      const path = [...basePath, ...inner];
      if (source.isBroken(path)) return [];
      if (issue.code === 'unrecognized_keys') {
        const known = schema === undefined ? [] : knownKeys(schema, inner, value);
        return issue.keys.map((key) => unknownKey(source, path, key, known));
      }
      return [problemOf(source, path, issue, valueAt(value, inner))];
    });
}

/** Where a map may stand beside something simpler, and a map stands: what is wrong within it. */
function issuesWithin(issue: Issue, value: unknown): readonly Issue[] {
  if (issue.code !== 'invalid_union' || !isMap(valueAt(value, pathOf(issue)))) return [issue];
  const [one, ...others] = issue.errors.filter((errors) => !errors.some(isOfAnotherKind));
  if (one === undefined || others.length > 0) return [issue];
  return one.map((inner) => ({ ...inner, path: [...issue.path, ...inner.path] }));
}

/** The value as a whole is not of the kind that this alternative takes. */
function isOfAnotherKind({ code, path }: Issue): boolean {
  return path.length === 0 && (code === 'invalid_type' || code === 'invalid_value');
}

function isMap(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function pathOf({ path }: Issue): ConfigPath {
  return path.filter((key) => typeof key !== 'symbol');
}

/** A key that does not exist, at the key's place. */
export function unknownKey(source: Located, path: ConfigPath, key: string, known: readonly string[]): Problem {
  const hint = suggestion(key, known);
  return {
    ...source.locateKey([...path, key]),
    path: formatPath(path),
    expected: '',
    found: `unknown key ${JSON.stringify(key)}`,
    ...(hint === undefined ? {} : { hint }),
  };
}

function problemOf(source: Located, path: ConfigPath, issue: Issue, found: unknown): Problem {
  if (issue.code === 'custom' && issue.params?.sentence === true) return problemAt(source, path, '', issue.message);
  const options = issue.code === 'invalid_value' ? issue.values : optionsOf(issue);
  const near = typeof found === 'string' && options.length > 0 ? suggestion(found, options.map(String)) : undefined;
  const hint = near?.startsWith('did') ? near : undefined;
  return problemAt(source, path, expectedWords(issue), source.show(path, found), hint);
}

/** The values that a discriminator may have. */
function optionsOf(issue: Issue): readonly unknown[] {
  return issue.code === 'invalid_union' && 'options' in issue ? (issue.options ?? []) : [];
}

/** What zod says of its own accord, as opposed to the words that a schema brings along. */
const ZODS_OWN_WORDS = /^(?:Invalid |Too (?:big|small)|Unrecognized )/;

/** The words after "expected". */
function expectedWords(issue: Issue): string {
  if (!ZODS_OWN_WORDS.test(issue.message)) return issue.message;
  switch (issue.code) {
    case 'invalid_type':
      return typeWords(issue.expected);
    case 'invalid_value':
      return choice(issue.values);
    case 'invalid_union':
      return unionWords(issue);
    case 'too_small':
      return sizeWords(issue.origin, 'at least', issue.minimum, issue.inclusive);
    case 'too_big':
      return sizeWords(issue.origin, 'at most', issue.maximum, issue.inclusive);
    case 'invalid_format':
      return issue.pattern === undefined ? `a string of the form ${issue.format}` : `a string like ${issue.pattern}`;
    case 'not_multiple_of':
      return `a multiple of ${issue.divisor}`;
    default:
      return `something else (${issue.message})`;
  }
}

const TYPE_WORDS: Readonly<Record<string, string>> = {
  int: 'an integer',
  array: 'a list',
  object: 'a map',
  record: 'a map',
  boolean: 'true or false',
};

function typeWords(type: string): string {
  return TYPE_WORDS[type] ?? `a ${type}`;
}

function choice(values: readonly unknown[]): string {
  const words = values.map((value) => (typeof value === 'string' ? value : JSON.stringify(value)));
  return words.length === 1 ? `${words[0]}` : `one of ${words.join(', ')}`;
}

function unionWords(issue: z.core.$ZodIssueInvalidUnion): string {
  const options = optionsOf(issue);
  if (options.length > 0) return choice(options);
  const alternatives = issue.errors.map((issues) => issues.map(expectedWords).join(' and '));
  return [...new Set(alternatives)].join(' or ');
}

function sizeWords(origin: string, bound: string, limit: number | bigint, inclusive = true): string {
  const amount = inclusive ? `${bound} ${limit}` : `${bound === 'at least' ? 'more' : 'less'} than ${limit}`;
  if (origin === 'string') return limit === 1 ? 'a string that is not empty' : `a string of ${amount} characters`;
  if (origin === 'array' || origin === 'set') return `a list of ${amount} items`;
  return `a number, ${amount}`;
}

function valueAt(value: unknown, path: ConfigPath): unknown {
  let found: unknown = value;
  for (const key of path) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, key)) return undefined;
    found = (found as Record<string | number, unknown>)[key];
  }
  return found;
}
