// Values that are read from files: `!file path` anywhere, and the PEM files of `mqtt.ca`, `mqtt.cert`, `mqtt.key`.

import { messageOf } from '../core/errors.js';

export type FileValue = { readonly ok: true; readonly text: string } | { readonly ok: false; readonly reason: string };

/** Reads a whole file as text, or throws as `fs.readFileSync` does. */
export type ReadFile = (path: string) => string;

/** The text of a file without the newline that editors put at its end; or a sentence that says why not. */
export function readFileValue(path: string, readFile: ReadFile): FileValue {
  try {
    return { ok: true, text: readFile(path).replace(/\r?\n$/, '') };
  } catch (error) {
    return { ok: false, reason: `cannot read the file ${path}: ${reasonOf(error)}` };
  }
}

/** Why a file cannot be read, in words where the system has only a code. */
export function reasonOf(error: unknown): string {
  const code = (error as { code?: unknown } | undefined)?.code;
  if (code === 'ENOENT') return 'no such file';
  if (code === 'EACCES' || code === 'EPERM') return 'permission denied';
  if (code === 'EISDIR') return 'it is a directory';
  return messageOf(error);
}
