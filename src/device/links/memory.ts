// A link without a wire, for tests of everything above links: an opener and the far end that a test drives. All is
// synchronous, so a test needs no waiting.

import { type Clock, systemClock } from '../../core/clock.js';
import { type Link, LinkError, type LinkOpener, type LinkTrouble, type WriteOutcome } from '../link.js';
import { BaseLink } from './base-link.js';

/** The device's side of a memory link. */
export interface MemoryFarEnd {
  /** Sends to the gateway. While the link is paused the bytes wait; with no open link they are lost, as on a real line. */
  send(bytes: Uint8Array | string): 'sent' | 'nobody-there';
  /** What the gateway wrote, write by write, over all links. */
  readonly received: readonly Buffer[];
  /** The open link is lost. */
  unplug(trouble?: LinkTrouble): void;
  /** From now on `open` fails with this trouble; `accept` ends that. */
  refuse(trouble: LinkTrouble): void;
  /** From now on `open` works again, and whoever waits in `changed` is told. */
  accept(): void;
  /** Writes stay unsettled until `release` (or loss), as when flow control holds the line. */
  stall(): void;
  /** Ends `stall`: held writes go through. */
  release(): void;
  /** Times that `open` worked. */
  readonly opens: number;
  /** True while the gateway holds an open link. */
  readonly isOpen: boolean;
  /** True while the gateway has paused the link. */
  readonly isPaused: boolean;
}

export interface MemoryLinkOptions {
  readonly name?: string;
  readonly clock?: Clock;
  readonly idleTimeoutMs?: number;
  /** False makes it like a serial line: `pause` does nothing. Default true. */
  readonly canPause?: boolean;
}

interface Held {
  readonly bytes: Buffer;
  readonly done: (outcome: WriteOutcome) => void;
}

/** What the links of one opener share with their far end. */
class Wire implements MemoryFarEnd {
  readonly received: Buffer[] = [];
  readonly name: string;
  opens = 0;
  link: MemoryLink | undefined;
  readonly #options: MemoryLinkOptions;
  #refusal: LinkTrouble | undefined;
  #isStalled = false;
  #held: Held[] = [];
  readonly #waiting = new Set<() => void>();

  constructor(options: MemoryLinkOptions) {
    this.#options = options;
    this.name = options.name ?? 'memory';
  }

  get isOpen(): boolean {
    return this.link !== undefined;
  }

  get isPaused(): boolean {
    return this.link?.isPaused ?? false;
  }

  async open(signal: AbortSignal): Promise<Link> {
    if (signal.aborted) throw new LinkError('closed', `opening ${this.name} was called off`);
    if (this.#refusal) throw new LinkError(this.#refusal, `${this.name} was told to be ${this.#refusal}`);
    if (this.link) throw new LinkError('busy', `${this.name} is open already`);
    this.opens++;
    this.link = new MemoryLink(this, this.#options);
    return this.link;
  }

  changed(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.#waiting.delete(done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      if (signal.aborted) {
        resolve();
        return;
      }
      this.#waiting.add(done);
      signal.addEventListener('abort', done, { once: true });
    });
  }

  send(bytes: Uint8Array | string): 'sent' | 'nobody-there' {
    if (!this.link) return 'nobody-there';
    this.link.arrive(Buffer.from(bytes));
    return 'sent';
  }

  unplug(trouble: LinkTrouble = 'hang-up'): void {
    this.link?.cut(trouble);
  }

  refuse(trouble: LinkTrouble): void {
    this.#refusal = trouble;
  }

  accept(): void {
    this.#refusal = undefined;
    for (const wake of [...this.#waiting]) wake();
  }

  stall(): void {
    this.#isStalled = true;
  }

  release(): void {
    this.#isStalled = false;
    for (const held of this.#held.splice(0)) this.take(held);
  }

  /** A write of the link arrives here. */
  take(write: Held): void {
    if (this.#isStalled) {
      this.#held.push(write);
      return;
    }
    this.received.push(write.bytes);
    write.done('written');
  }

  /** The link is gone: what was held never arrives. */
  drop(): void {
    this.link = undefined;
    this.#held = [];
  }
}

class MemoryLink extends BaseLink {
  readonly canPause: boolean;
  readonly isSerial: boolean;
  readonly #wire: Wire;
  #isFlowing = false;
  #waiting: Buffer[] = [];

  constructor(wire: Wire, options: MemoryLinkOptions) {
    super({ name: wire.name, clock: options.clock ?? systemClock, idleTimeoutMs: options.idleTimeoutMs ?? 0 });
    this.canPause = options.canPause ?? true;
    this.isSerial = !this.canPause;
    this.#wire = wire;
  }

  get isPaused(): boolean {
    return !this.#isFlowing;
  }

  arrive(bytes: Buffer): void {
    if (this.#isFlowing) this.deliver(bytes);
    else this.#waiting.push(bytes);
  }

  cut(trouble: LinkTrouble): void {
    this.startReading();
    this.lose(trouble, `${this.name}: ${trouble}`);
  }

  /** Nothing is under way in memory: what waits is all there is, so no quiet spell is needed (and no clock). */
  protected override settleIntake(): Promise<void> {
    this.startReading();
    return Promise.resolve();
  }

  protected startReading(): void {
    this.#isFlowing = true;
    while (this.#isFlowing) {
      const next = this.#waiting.shift();
      if (!next) return;
      this.deliver(next);
    }
  }

  protected stopReading(): void {
    this.#isFlowing = false;
  }

  protected send(bytes: Uint8Array, done: (outcome: WriteOutcome) => void): void {
    this.#wire.take({ bytes: Buffer.from(bytes), done });
  }

  protected release(): Promise<void> {
    this.#wire.drop();
    return Promise.resolve();
  }
}

/** A pair: the opener for the gateway and the far end for the test. */
export function memoryLink(options: MemoryLinkOptions = {}): {
  readonly opener: LinkOpener;
  readonly far: MemoryFarEnd;
} {
  const wire = new Wire(options);
  const opener = {
    name: wire.name,
    open: (signal: AbortSignal) => wire.open(signal),
    changed: (signal: AbortSignal) => wire.changed(signal),
  };
  return { opener, far: wire };
}
