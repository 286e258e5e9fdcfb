// A config fit for eyes other than its owner's: for `bridge/info`, logs and bug reports.

import { hideCredentials, isSecretKey } from './problem.js';

/** A deep copy with secrets as `***`: values of keys that name a secret, credentials in URLs. Buffers become strings. */
export function redact<Value>(config: Value): Value {
  return redactValue(config) as Value; // same shape, except for Buffers
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
