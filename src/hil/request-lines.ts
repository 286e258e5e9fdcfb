// Requests that come to a device as lines of text: cut out of whatever chunks the line hands over.

/** A request longer than this is noise: forgotten up to its line end. */
const MAX_REQUEST = 256;

export class RequestLines {
  #rest = '';

  /** The lines that are complete with this chunk, without their ends (CR, LF or both), as Latin-1; empty ones are left out. */
  take(chunk: Buffer): string[] {
    const lines = (this.#rest + chunk.toString('latin1')).split(/\r\n|\r|\n/);
    this.#rest = (lines.pop() ?? '').slice(0, MAX_REQUEST + 1);
    return lines.filter((line) => line !== '' && line.length <= MAX_REQUEST);
  }
}
