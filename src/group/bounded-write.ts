// A write with an end. A link's own promise is that a write settles when the link is lost; a device that keeps its link but
// takes no bytes (a peer that does not read, a line held by RTS) would keep it for ever, and every command behind it.

import type { Clock } from '../core/clock.js';
import type { Link, WriteOutcome } from '../device/link.js';

/** What any write may take, ms. */
const BASE_MS = 10_000;
/** What each byte may take besides: 300 baud on a serial line, 10 kB/s elsewhere. ms */
const SERIAL_MS_PER_BYTE = 40;
const SOCKET_MS_PER_BYTE = 0.1;
/** What no write may take, however long: the commands behind it wait for as long. ms */
const MOST_MS = 600_000;
/** What a write may still take once the thread is asked to finish, ms: the fail-safe bytes wait behind it. */
const LAST_MS = 500;

/** `stuck`: the link took too long; it is still writing, and to be closed. */
export type BoundedOutcome = WriteOutcome | 'stuck';

/** Writes, for at most as long as so many bytes may take; once `stop` aborts, for at most another half second. */
export function writeBounded(link: Link, bytes: Buffer, clock: Clock, stop: AbortSignal): Promise<BoundedOutcome> {
  return new Promise((resolve) => {
    const writing = link.write(bytes); // first: the device need not wait for what looks after it
    const settle = (outcome: BoundedOutcome): void => {
      timer.cancel();
      stop.removeEventListener('abort', hurry);
      resolve(outcome);
    };
    const hurry = (): void => {
      timer.cancel();
      timer = clock.after(LAST_MS, () => settle('stuck'));
    };
    let timer = clock.after(limitMs(link, bytes.length), () => settle('stuck'));
    if (stop.aborted) hurry();
    else stop.addEventListener('abort', hurry, { once: true });
    void writing.then(settle);
  });
}

/** The longest that a write of that many bytes may take, ms. */
export function limitMs(link: Pick<Link, 'isSerial'>, bytes: number): number {
  const ownMs = bytes * (link.isSerial ? SERIAL_MS_PER_BYTE : SOCKET_MS_PER_BYTE);
  return Math.min(BASE_MS + ownMs, MOST_MS);
}
