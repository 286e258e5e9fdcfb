// What the broker sends us, on its way to `onMessage`: a bounded queue, and the receive thread that empties it.

import type { Log } from '../core/log.js';
import type { MessageQueue } from '../core/queue.js';
import type { Inbox, Thread, ThreadParts, ThreadSteps } from '../core/thread.js';
import type { IncomingMessage } from './incoming-message.js';

/** Commands that may wait to be read. */
export const MAX_INCOMING = 1000;

export interface IncomingOptions {
  readonly log: Log;
  /** Holds MAX_INCOMING, and drops the newest. */
  readonly queue: MessageQueue<IncomingMessage>;
  /** Must not throw. */
  readonly onMessage: (message: IncomingMessage) => void;
}

export class Incoming implements ThreadParts, ThreadSteps {
  readonly label = 'receive';
  readonly inboxes: readonly Inbox[];
  readonly #options: IncomingOptions;
  /** Dropped since the queue was last empty. */
  #missed = 0;

  constructor(options: IncomingOptions) {
    this.#options = options;
    this.inboxes = [options.queue];
  }

  put(message: IncomingMessage): void {
    const { queue, log } = this.#options;
    const result = queue.put(message);
    if (result === 'queued' || result === 'closed') return;
    this.#missed += 1;
    if (this.#missed > 1) return;
    log.error({ thread: 'receive' }, `commands are being dropped: ${MAX_INCOMING} wait already; they are counted`);
  }

  /** Takes one message: what it has set off goes before the next. Over when all are taken, or on abort. */
  step(thread: Thread): 'idle' | 'ended' {
    if (thread.state === 'aborting') return 'ended';
    const { queue, onMessage } = this.#options;
    const taken = queue.poll();
    if (taken?.ok) {
      thread.busy(`taking ${taken.item.topic}`);
      if (queue.length === 0) this.#tellMissed();
      onMessage(taken.item);
      thread.idle();
    }
    if (queue.length > 0) thread.wake();
    else if (queue.closed) return 'ended';
    return 'idle';
  }

  #tellMissed(): void {
    if (this.#missed === 0) return;
    this.#options.log.warn({ thread: 'receive', dropped: this.#missed }, `${this.#missed} commands were dropped`);
    this.#missed = 0;
  }
}
