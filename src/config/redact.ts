// A config fit for eyes other than its owner's: for `bridge/info`, logs and bug reports.

import { type ConfigPath, hideCredentials, isSecretKey } from './problem.js';

/**
 * A deep copy with secrets as `***`: values of keys that name a secret, credentials in URLs, and whatever stands at one of
 * the paths `secrets` (what was read with `!file`). Buffers become strings.
 */
export function redact<Value>(config: Value, secrets: readonly ConfigPath[] = []): Value {
  const copy = redactValue(config);
  for (const path of secrets) hide(copy, path);
  return copy as Value; // same shape, except for Buffers
}

/** Hides what stands at a path of a copy, if anything does. */
function hide(copy: unknown, path: ConfigPath): void {
  let holder: unknown = copy;
  for (const key of path.slice(0, -1))
    holder = isHolder(holder) && Object.hasOwn(holder, key) ? holder[key] : undefined;
  const last = path.at(-1);
  if (last !== undefined && isHolder(holder) && Object.hasOwn(holder, last)) holder[last] = '***';
}

function isHolder(value: unknown): value is Record<string | number, unknown> {
  return typeof value === 'object' && value !== null;
}

function redactValue(value: unknown): unknown {
  if (typeof value === 'string') return hideCredentials(value);
  if (Buffer.isBuffer(value)) return value.toString('latin1');
  if (Array.isArray(value)) return value.map(redactValue);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, redactEntry(key, item)]));
}

/** A collection under a telling name is looked into, not hidden: it may be a device called `key`. */
function redactEntry(key: string, item: unknown): unknown {
  const isScalar = item !== undefined && (typeof item !== 'object' || item === null);
  return isSecretKey(key) && isScalar ? '***' : redactValue(item);
}
