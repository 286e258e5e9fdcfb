// One open link while a device uses it: who holds it, what it hands to the threads, and whether it has worked. Made by the
// manager with each link; the link calls it straight, without a closure each for thousands of connections.

import { Lease } from '../core/lease.js';
import type { Loan } from '../core/loan.js';
import type { Link, LinkHandlers, LinkLoss } from '../device/link.js';
import type { DeviceContext } from './device-context.js';

/** A link that was up for this long has worked, even if nothing came, ms. */
const WORKED_MS = 10_000;

/** Who takes what comes in. */
export interface LinkReader {
  intake(link: Link, chunk: Buffer, loan?: Loan): void;
  opened(lease: Lease<Link>): void;
}

export class LinkUse implements LinkHandlers {
  readonly lease: Lease<Link>;
  readonly #ctx: DeviceContext;
  readonly #reader: LinkReader;
  readonly #openedAt: number;
  readonly #bytesBefore: number;

  /** The link is the group's from here on: the `holders` have it, and the last of them closes it. */
  constructor(ctx: DeviceContext, link: Link, reader: LinkReader, holders: readonly string[]) {
    this.#ctx = ctx;
    this.#reader = reader;
    this.#openedAt = ctx.clock.now();
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

  /** False for one that gave nothing and was lost at once: that is no success. */
  get hasWorked(): boolean {
    const { clock, counters } = this.#ctx;
    return counters.bytesIn > this.#bytesBefore || clock.now() - this.#openedAt >= WORKED_MS;
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
