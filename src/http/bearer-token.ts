// Whether a request carries the token. Compared in a time that says nothing about how much of it is right.

import { createHash, timingSafeEqual } from 'node:crypto';

/** True if `header` (`Authorization`) is `Bearer <token>`. */
export function carriesToken(header: string | undefined, token: string): boolean {
  const [, given] = /^bearer +(\S+) *$/i.exec(header ?? '') ?? [];
  return given !== undefined && timingSafeEqual(digest(given), digest(token));
}

/** Of equal length, whatever was given. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
