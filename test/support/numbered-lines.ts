// Lines that carry their number, so that what arrives tells what is missing, doubled or out of order.

const DIGITS = 8;

/** Line `n`: its number, filled with dots to `length` bytes, the delimiter included. */
export function numberedLine(n: number, length: number): string {
  return `${String(n)
    .padStart(DIGITS, '0')
    .padEnd(length - 1, '.')}\n`;
}

/** What the numbers of received lines say, against 0 to `highest`. */
export interface Tally {
  readonly received: number;
  readonly lost: number;
  readonly doubled: number;
  /** Lines that came after one with a higher number, repetitions of lines seen before not counted. */
  readonly outOfOrder: number;
  /** Lines that are not as sent: cut, joined or garbled. */
  readonly damaged: number;
  /** -1 if none came. */
  readonly highest: number;
}

/** Counts lines sent as `numberedLine(n, length)`. */
export function tally(payloads: readonly Buffer[], length: number): Tally {
  const seen = new Set<number>();
  let [doubled, outOfOrder, damaged, highest] = [0, 0, 0, -1];
  for (const payload of payloads) {
    const text = payload.toString('latin1');
    const n = Number(text.slice(0, DIGITS));
    if (`${text}\n` !== numberedLine(n, length)) damaged += 1;
    else if (seen.has(n)) doubled += 1;
    else if (n < highest) outOfOrder += 1;
    seen.add(n);
    highest = Math.max(highest, n);
  }
  return { received: payloads.length, lost: highest + 1 - seen.size, doubled, outOfOrder, damaged, highest };
}
