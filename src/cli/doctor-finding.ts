// What `ferrule doctor` finds: one line each, with the way out where there is one.

/** `fail`: something does not work. `warn`: something may not. `info`: for whoever reads the report. */
export type FindingLevel = 'ok' | 'info' | 'warn' | 'fail';

export interface Finding {
  readonly level: FindingLevel;
  /** A sentence, or several lines. */
  readonly text: string;
  /** What to do. */
  readonly todo?: string;
}

/** One examination. */
export interface Examination {
  readonly findings: readonly Finding[];
  /** Written into the tar as JSON, by name without `.json`. */
  readonly data?: Readonly<Record<string, unknown>>;
}

export function ok(text: string): Finding {
  return { level: 'ok', text };
}

export function info(text: string): Finding {
  return { level: 'info', text };
}

export function warn(text: string, todo?: string): Finding {
  return { level: 'warn', text, ...(todo !== undefined && { todo }) };
}

export function fail(text: string, todo?: string): Finding {
  return { level: 'fail', text, ...(todo !== undefined && { todo }) };
}
