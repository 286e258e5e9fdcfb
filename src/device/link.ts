// A link is one open way to a device: a serial port, a TCP socket, an accepted connection, a memory pair. A LinkOpener
// knows how to open it again. The manager thread opens and reopens; the receive thread is fed by `onChunk`; the send
// thread writes. Implementations live in `links/`, one file each, and all pass `test/contracts/link.ts`.
//
//   opener.open() -> link -> attach({ onChunk, onLost }) -> bytes ... -> onLost once -> close()

import { FerruleError } from '../core/errors.js';
import type { Loan } from '../core/loan.js';

/** Why a link could not be opened, or was lost. `closed` = we closed it ourselves. */
export type LinkTrouble =
  | 'missing' // no such device node, or no USB device of that identity
  | 'busy' // another process holds the port
  | 'no-permission'
  | 'ambiguous' // a USB identity that fits several devices
  | 'refused' // nobody listens on that TCP port
  | 'unreachable' // no route, host down, name not resolved
  | 'timeout' // no answer in time
  | 'reset' // the peer broke the connection
  | 'hang-up' // the peer or the hardware went away: end of file, unplugged
  | 'idle' // nothing received for `idle_timeout`
  | 'io-error'
  | 'closed';

/** Thrown by `LinkOpener.open`. The message names the port or address, what was found there, and the way out. */
export class LinkError extends FerruleError {
  readonly trouble: LinkTrouble;

  constructor(trouble: LinkTrouble, message: string, options?: { cause?: unknown }) {
    super(`link-${trouble}`, message, options);
    this.trouble = trouble;
  }
}

/** What is known of a lost link. `detail` is a sentence for the log: it names the port or peer. */
export interface LinkLoss {
  readonly trouble: LinkTrouble;
  readonly detail: string;
}

/** How a write ended. It always settles: `lost` when the link went away before all bytes were taken by the system. */
export type WriteOutcome = 'written' | 'lost';

export interface LinkHandlers {
  /** Bytes, in order. The buffer now belongs to the receiver, or is on `loan` to it. Never called after `onLost`. */
  onChunk(chunk: Buffer, loan?: Loan): void;
  /** Called exactly once in the life of a link, also after our own `close()`. */
  onLost(loss: LinkLoss): void;
}

/** An open link. */
export interface Link {
  /** Short text for logs and snapshots, e.g. `serial /dev/ttyUSB0` or `tcp 10.0.0.5:4001`. */
  readonly name: string;
  /**
   * True where `pause()` makes the sender wait: TCP, and a serial line with `rtscts`. Another serial line goes on talking: what is not
   * read is lost.
   */
  readonly canPause: boolean;
  /** A serial line: a byte may take 33 ms on its way out (300 baud). */
  readonly isSerial: boolean;
  /** Starts reading. To be called once, in the same turn in which `open` resolved or a connection was accepted. */
  attach(handlers: LinkHandlers): void;
  /** Writes all of `bytes`. One write at a time: the send thread waits for the outcome. Never rejects, never hangs. */
  write(bytes: Uint8Array): Promise<WriteOutcome>;
  /** Stops reading (flow control). No-op where `canPause` is false. */
  pause(): void;
  resume(): void;
  /**
   * Ends intake for a shutdown: takes what the system has already received (bounded to `maxMs`), hands it to `onChunk`, then
   * reads no more. Writes still work. Resolves also when the link is lost meanwhile.
   */
  finishIntake(maxMs: number): Promise<void>;
  /** Closes; idempotent. Resolves when the descriptor is gone, at most about a second later. Leads to `onLost` with `closed`. */
  close(): Promise<void>;
}

/** Opens one device's link, any number of times, one after the other. */
export interface LinkOpener {
  /** What will be opened, for logs before it is open: `serial /dev/ttyUSB0`, `usb 0403:6001`, `tcp 10.0.0.5:4001`. */
  readonly name: string;
  /** Opens, or rejects with a LinkError. Gives up and rejects (`closed`) when `signal` aborts. */
  open(signal: AbortSignal): Promise<Link>;
  /**
   * Resolves when trying again may be worth it sooner than the backoff says (a device node appeared); resolves when
   * `signal` aborts too. Absent where nothing can be watched.
   */
  changed?(signal: AbortSignal): Promise<void>;
}
