// Whether a request carries the token. Compared in a time that says nothing about how much of it is right.

/** True if `header` (`Authorization`) is `Bearer <token>`. */
export function carriesToken(header: string | undefined, token: string): boolean {
  const [, given] = /^bearer +(\S+) *$/i.exec(header ?? '') ?? [];
  return given !== undefined && crypto().timingSafeEqual(digest(given), digest(token));
}

/** Of equal length, whatever was given. */
function digest(text: string): Buffer {
  return crypto().createHash('sha256').update(text).digest();
}

/** Loaded with the first token: a start does without its 7 ms. */
function crypto(): typeof import('node:crypto') {
  return process.getBuiltinModule('node:crypto');
}
