// What a test expects of a message, in the form that is shortest for it.

import { isDeepStrictEqual } from 'node:util';
import type { RigMessage } from './rig-message.js';

/**
 * What a message must be:
 * - a string: the whole payload, as text
 * - bytes: the whole payload
 * - a regular expression: found in the payload's text
 * - a number, a boolean or null: the payload is that in JSON
 * - an object: the payload is JSON with at least these keys. Each value may again be an object of this kind, a regular
 *   expression for a string, or a function that answers whether the value will do
 * - a function: answers whether the message will do
 */
export type Matcher =
  | string
  | number
  | boolean
  | null
  | RegExp
  | Uint8Array
  | Readonly<Record<string, unknown>>
  | readonly unknown[]
  | ((message: RigMessage) => boolean);

/** Whether a message is what was expected. */
export function matches(matcher: Matcher, message: RigMessage): boolean {
  if (typeof matcher === 'string') return message.text === matcher;
  if (typeof matcher === 'function') return matcher(message);
  if (matcher instanceof RegExp) return fresh(matcher).test(message.text);
  if (matcher instanceof Uint8Array) return message.payload.equals(matcher);
  return contains(message.json, matcher);
}

/** For the message of an error. */
export function describeMatcher(matcher: unknown): string {
  if (matcher instanceof RegExp || typeof matcher === 'function') return String(matcher);
  if (matcher instanceof Uint8Array) return `bytes ${Buffer.from(matcher).toString('hex')}`;
  return JSON.stringify(matcher, (_key, value: unknown) =>
    value instanceof RegExp || typeof value === 'function' ? String(value) : value,
  );
}

/** The same expression without memory: one with `g` or `y` would go on where it stood. */
export function fresh(pattern: RegExp): RegExp {
  return new RegExp(pattern.source, pattern.flags.replaceAll(/[gy]/g, ''));
}

function contains(value: unknown, wanted: unknown): boolean {
  if (typeof wanted === 'function') return wanted(value) === true;
  if (wanted instanceof RegExp) return typeof value === 'string' && fresh(wanted).test(value);
  if (Array.isArray(wanted)) {
    return (
      Array.isArray(value) && value.length === wanted.length && wanted.every((item, i) => contains(value[i], item))
    );
  }
  if (typeof wanted !== 'object' || wanted === null) return isDeepStrictEqual(value, wanted);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const found = value as Readonly<Record<string, unknown>>; // an object, checked above
  return Object.entries(wanted).every(([key, inner]) => Object.hasOwn(found, key) && contains(found[key], inner));
}
