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

/** The text of anything that was thrown. Of a host with several addresses Node gives one error for all, whose words are in its parts. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const parts = error.message === '' && error instanceof AggregateError ? error.errors.map(messageOf) : [];
  return parts.find((words) => words !== '') ?? error.message;
}
