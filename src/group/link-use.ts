// One open link while a device uses it: who holds it, what it hands to the threads, and whether it has worked. Made by the
// manager with each link; the link calls it straight, without a closure each for thousands of connections.

import { Lease } from '../core/lease.js';
import type { Loan } from '../core/loan.js';
import type { Link, LinkHandlers, LinkLoss } from '../device/link.js';
import type { DeviceContext } from './device-context.js';

/** A link on which the device was there for this long has worked, even if nothing came, ms. */
const WORKED_MS = 10_000;
/** And for this long, if something came: a device server whose port is taken says so in a line and hangs up. */
const SPOKEN_MS = 1000;

/** Who takes what comes in. */
export interface LinkReader {
  intake(link: Link, chunk: Buffer, loan?: Loan): void;
  opened(lease: Lease<Link>): void;
}

export class LinkUse implements LinkHandlers {
  readonly lease: Lease<Link>;
  readonly #ctx: DeviceContext;
  readonly #reader: LinkReader;
  readonly #bytesBefore: number;
  #readyAt: number | undefined;

  /** The link is the group's from here on: the `holders` have it, and the last of them closes it. */
  constructor(ctx: DeviceContext, link: Link, reader: LinkReader, holders: readonly string[]) {
    this.#ctx = ctx;
    this.#reader = reader;
    this.#bytesBefore = ctx.counters.bytesIn;
    this.lease = new Lease(link, closeLink);
    for (const holder of holders) this.lease.enter(holder);
    ctx.lease = this.lease;
    ctx.flag.raise();
  }

  /** Lets bytes flow. */
  begin(): void {
    this.#reader.opened(this.lease);
    this.lease.resource.attach(this);
  }

  /** The device takes commands from now on. */
  ready(): void {
    this.#readyAt = this.#ctx.clock.now();
    this.#ctx.hasBegun = true;
  }

  /**
   * False for one that was lost at once, whatever it said, and for one that said nothing for longer; and for one on which no
   * session has begun, however long that took.
   */
  get hasWorked(): boolean {
    if (this.#readyAt === undefined) return false;
    const { clock, counters } = this.#ctx;
    const neededMs = counters.bytesIn > this.#bytesBefore ? SPOKEN_MS : WORKED_MS;
    return clock.now() - this.#readyAt >= neededMs;
  }

  onChunk(chunk: Buffer, loan?: Loan): void {
    this.#reader.intake(this.lease.resource, chunk, loan);
  }

  onLost(loss: LinkLoss): void {
    const { lease, flag, managing } = this.#ctx;
    if (lease === this.lease) flag.clear();
    managing.put({ kind: 'lost', lease: this.lease, loss });
  }
}

function closeLink(link: Link): Promise<void> {
  return link.close();
}
