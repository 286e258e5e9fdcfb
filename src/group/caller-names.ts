// Who calls, for a listener whose connections are called what their devices call themselves (`peer: first-frame`). A device that
// calls again while its old connection is still there (its network was gone, nobody has noticed yet) gets its place: the old
// connection ends first, so that its name, its topics and its commands go over to the new one whole.

import type { Socket } from 'node:net';
import type { Clock } from '../core/clock.js';
import type { Log } from '../core/log.js';
import { type FirstFrameOptions, nameByFirstFrame } from './first-frame.js';
import { isPowerOfTwo } from './power-of-two.js';

/** Longest wait for the end of an old connection, ms: what it has read goes to the broker first. */
const MAKE_WAY_MS = 10_000;
const GONE = 'it was gone before its older connection had ended';

export interface CallerNamesOptions extends FirstFrameOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** The connection that has a name now; `end` lets go of it soon. */
  readonly holder: (name: string) => { readonly end: (reason: string) => void } | undefined;
  /** Takes in a connection, paused, under a name that is free; from then on it has a holder. */
  readonly admit: (socket: Socket, name: string) => void;
}

export class CallerNames {
  readonly #options: CallerNamesOptions;
  readonly #waiting = new Set<Socket>();
  /** Who waits for a name, and how to tell that it may be free. */
  readonly #forNames = new Set<{ readonly name: string; readonly tell: () => void }>();
  #isClosed = false;
  /** Times that somebody got the name of a connection that was there. */
  #takeovers = 0;

  constructor(options: CallerNamesOptions) {
    this.#options = options;
  }

  /** Connections that have no name yet. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Admits a connection as soon as it has said its name and that is free; answers why not. Never rejects. */
  async take(socket: Socket): Promise<'admitted' | { readonly why: string }> {
    this.#waiting.add(socket);
    const naming = await nameByFirstFrame(socket, this.#options);
    const why = naming.ok ? await this.#admitWhenFree(socket, naming.name) : naming.why;
    this.#waiting.delete(socket);
    return why === undefined ? 'admitted' : { why };
  }

  /** To be told when a connection has ended and its name is free. After an outage thousands wait, each for its own. */
  left(name: string): void {
    for (const waiting of this.#forNames) if (waiting.name === name) waiting.tell();
  }

  /** Whoever has no name yet gets none any more. */
  close(): void {
    this.#isClosed = true;
    for (const socket of this.#waiting) socket.destroy();
    for (const { tell } of this.#forNames) tell();
  }

  async #admitWhenFree(socket: Socket, name: string): Promise<string | undefined> {
    const { clock, holder, admit } = this.#options;
    if (holder(name) !== undefined && !this.#isClosed) this.#tellTakeover(name, socket.remoteAddress);
    const giveUp = new AbortController();
    const timer = clock.after(MAKE_WAY_MS, () => giveUp.abort());
    for (
      let held = holder(name);
      held !== undefined && !giveUp.signal.aborted && !this.#isClosed;
      held = holder(name)
    ) {
      held.end('its device has called again');
      await this.#untilLeft(name, giveUp.signal);
    }
    timer.cancel();
    if (socket.destroyed) return GONE;
    if (holder(name) !== undefined) return `its older connection ${name} has not ended within ${MAKE_WAY_MS / 1000} s`;
    admit(socket, name);
    return undefined;
  }

  /** Resolves when the connection of that name may have ended, or `stop`, not aborted yet, aborts. */
  #untilLeft(name: string, stop: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const tell = (): void => {
        this.#forNames.delete(waiting);
        stop.removeEventListener('abort', tell);
        resolve();
      };
      const waiting = { name, tell };
      this.#forNames.add(waiting);
      stop.addEventListener('abort', tell, { once: true });
    });
  }

  /** Two devices of one name throw each other out for ever, and each of them looks like one that calls again. */
  #tellTakeover(name: string, from: string | undefined): void {
    this.#takeovers += 1;
    if (!isPowerOfTwo(this.#takeovers)) return;
    const fields = { thread: 'manager', takeovers: this.#takeovers, peer: from };
    const text = `${name} has called again, from ${from}, while its connection was there: that is closed`;
    this.#options.log.warn(fields, `${text}; should it go on, do two devices call themselves that?`);
  }
}
