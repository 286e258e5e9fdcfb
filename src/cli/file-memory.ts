// The files of a config as they were when they were first asked for. A change over MQTT is checked against these, so that what
// a user is just typing into a file is not applied before they ask for a reload.

import { readdirSync, readFileSync } from 'node:fs';

type Kept<Value> = { readonly value: Value } | { readonly error: unknown };

export class FileMemory {
  readonly #files = new Map<string, Kept<string>>();
  readonly #folders = new Map<string, Kept<string[]>>();

  /** As `fs.readFileSync(path, 'utf8')`; the error, too, is the same every time. */
  readonly readFile = (path: string): string => recall(this.#files, path, () => readFileSync(path, 'utf8'));

  /** As `fs.readdirSync(path)`. */
  readonly readDir = (path: string): string[] => recall(this.#folders, path, () => readdirSync(path));

  /**
   * Nothing that was asked for has changed on the disk since; nor which files there are: an editor, or git, may remove a file
   * before it writes the new one.
   */
  get isCurrent(): boolean {
    return (
      [...this.#files].every(([path, kept]) => isSame(kept, () => readFileSync(path, 'utf8'))) &&
      [...this.#folders].every(([path, kept]) => isSame(kept, () => readdirSync(path)))
    );
  }

  /** Files that were read and had nothing in them. */
  get empty(): string[] {
    return [...this.#files].flatMap(([path, kept]) => ('value' in kept && kept.value.trim() === '' ? [path] : []));
  }
}

function recall<Value>(kept: Map<string, Kept<Value>>, path: string, read: () => Value): Value {
  const known = kept.get(path) ?? attempt(read);
  kept.set(path, known);
  if ('error' in known) throw known.error;
  return known.value;
}

/** Two errors are the same. */
function isSame<Value extends string | string[]>(kept: Kept<Value>, read: () => Value): boolean {
  const now = attempt(read);
  if ('error' in now || 'error' in kept) return 'error' in now && 'error' in kept;
  return String(now.value) === String(kept.value);
}

function attempt<Value>(read: () => Value): Kept<Value> {
  try {
    return { value: read() };
  } catch (error) {
    return { error };
  }
}
