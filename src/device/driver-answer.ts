// What a driver has answered, told apart: a rejection, a reading, bytes for the wire, or a mistake. Drivers are JavaScript, so that
// nothing of it can be taken for granted.

import { messageOf } from '../core/errors.js';
import type { Rejected } from './driver.js';

/** What `reject` makes, and nothing else: a reading may well have a channel of that name among others. */
export function isRejected(value: unknown): value is Rejected {
  if (typeof value !== 'object' || value === null) return false;
  return 'rejected' in value && typeof value.rejected === 'string' && Object.keys(value).length === 1;
}

/** A reading as JSON (NaN and Infinity become null, as JSON has it); or what is wrong with it. */
export function jsonOf(reading: unknown): { readonly text: string } | { readonly fault: string } {
  if (!isPlainObject(reading)) {
    muffle(reading);
    return { fault: `${kindOf(reading)}, expected an object of channels and values` };
  }
  try {
    const text = JSON.stringify(reading);
    return text?.startsWith('{') ? { text } : { fault: 'its toJSON gives no object' };
  } catch (error) {
    return { fault: messageOf(error) }; // cyclic, BigInt, a getter that throws
  }
}

function isPlainObject(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

export function isBytes(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array;
}

/** An async decode or encode answers a promise, which is no answer; should it reject later, the process must not end for it. */
export function muffle(value: unknown): void {
  if (value instanceof Promise) value.catch(() => {});
}

/** What it is, for a sentence about what was expected. */
export function kindOf(value: unknown): string {
  if (value === null || typeof value === 'number') return String(value);
  return typeof value === 'object' ? (value.constructor?.name ?? 'object') : typeof value;
}
