// The base of every error that Ferrule throws on purpose. Expected events (junk, loss, full queue) are values, not
// errors; what is thrown is a bug or a broken promise, and says so with a code.

/** An error with a stable `code` for programs and a message for people: what is wrong, with which value, what to do. */
export class FerruleError extends Error {
  readonly code: string;

  constructor(code: string, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

/** The text of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
