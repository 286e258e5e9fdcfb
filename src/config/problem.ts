// What is wrong with a config, and where. Everything that checks a config answers Problems; `formatProblem` is the one
// place that makes the line people read:
//
//   ferrule.yaml:12:16 devices.scale.link.baud_rate: expected a positive integer, got "fast"

/** Where a value stands: a file (as shown to people), or `env FERRULE_...` with line 0. Line and column count from 1. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly col: number;
}

/** The keys that lead to a value, from the top of the config. */
export type ConfigPath = readonly (string | number)[];

export interface Problem extends Place {
  /** Dotted, e.g. `devices.scale.link`; empty for the file as a whole. */
  readonly path: string;
  /** What should stand there, as in "expected ...". Empty when `found` is a whole sentence. */
  readonly expected: string;
  /** What stands there; never a secret. */
  readonly found: string;
  /** What to do, e.g. `did you mean "baud_rate"?`. */
  readonly hint?: string;
}

/** One line without its newline. */
export function formatProblem(problem: Problem): string {
  const head = [formatPlace(problem), problem.path === '' ? '' : `${problem.path}:`].filter(Boolean).join(' ');
  const what = problem.expected === '' ? problem.found : `expected ${problem.expected}, got ${problem.found}`;
  const hint = problem.hint === undefined ? '' : `, ${problem.hint}`;
  return `${head}${problem.path === '' ? ':' : ''} ${what}${hint}`;
}

/** `file:line:col`, or the file alone where no line is known. */
export function formatPlace({ file, line, col }: Place): string {
  return line === 0 ? file : `${file}:${line}:${col}`;
}

/** `devices.scale.link`, `tags[2]`; keys with dots or spaces are quoted. */
export function formatPath(path: ConfigPath): string {
  let text = '';
  for (const key of path) {
    if (typeof key === 'number') text += `[${key}]`;
    else text += `${text === '' ? '' : '.'}${/^[^\s."[\]]+$/.test(key) ? key : JSON.stringify(key)}`;
  }
  return text;
}

/** By place, files in the order of `files` (others, such as the environment, last); the same thing said twice is dropped. */
export function sortProblems(problems: readonly Problem[], files: readonly string[]): Problem[] {
  const rank = (problem: Problem): number => {
    const index = files.indexOf(problem.file);
    return index === -1 ? files.length : index;
  };
  const sorted = problems.toSorted((a, b) => rank(a) - rank(b) || a.line - b.line || a.col - b.col);
  const said = new Set<string>();
  return sorted.filter((problem) => {
    // A wrong value in `defaults` is wrong in every device that takes it, at one and the same place.
    const key = `${formatPlace(problem)} ${problem.line === 0 ? problem.path : ''} ${problem.expected} ${problem.found}`;
    return !said.has(key) && said.add(key);
  });
}

/** A value as shown behind "got": short, on one line, collections by name only. Credentials in URLs are hidden. */
export function describeValue(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a map';
  if (typeof value !== 'string') return String(value);
  const text = JSON.stringify(hideCredentials(value));
  return text.length > 80 ? `${text.slice(0, 76)}..."` : text;
}

/** `mqtt://user:pass@host?token=t` -> `mqtt://***@host?token=***`, also among other words. */
export function hideCredentials(text: string): string {
  if (!text.includes('://')) return text;
  // A text that is a URL is one up to its end: a password may have spaces and quotes too.
  const isUrl = /^\s*[a-z][a-z0-9+.-]*:\/\//i.test(text);
  const shown = isUrl ? hideLogin(text) : text.replace(/[^\s"]+/g, hideLogin);
  return shown.replace(/([?&;])([^=&;#\s]+)=[^&;#\s]*/g, (whole, before: string, key: string) =>
    isSecretKey(key) || /sig|auth/i.test(key) ? `${before}${key}=***` : whole,
  );
}

/** Up to the last "@": an unescaped / # ? @ in a password makes a URL that is no good one, and those are the ones that are shown. */
function hideLogin(url: string): string {
  const start = url.indexOf('://') + 3;
  const at = url.lastIndexOf('@');
  return start < 3 || at < start ? url : `${url.slice(0, start)}***${url.slice(at)}`;
}

const SECRET_KEY = /passw|passphrase|pwd|secret|token|credential|psk|api_?key|^(?:.*[_-])?key$/i;

/** Whether a key names something that must not be shown: passwords, keys, tokens, in any driver's options too. */
export function isSecretKey(key: string | number): boolean {
  return typeof key === 'string' && (SECRET_KEY.test(key) || /[a-z]Key$/.test(key));
}
