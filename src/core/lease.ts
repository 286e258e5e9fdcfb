// Shared ownership of one open thing: the link of a group belongs to all its threads, and the last thread out closes it.
// Closing happens exactly once, and only when nobody uses it any more.

/** A counted hold on `resource`. Made with no holders; the first `enter` counts, the last `leave` closes. */
export class Lease<T> {
  readonly resource: T;
  /** A few: a list is smaller than a Set, and there is a lease to each of thousands of connections. */
  #holders: readonly string[] = [];
  readonly #close: (resource: T) => Promise<void>;
  #state: 'open' | 'closing' | 'closed' = 'open';
  #closed: Promise<void> | undefined;
  #settle: (() => void) | undefined;

  /** `close` is called once, by the last holder to leave; it must not reject. */
  constructor(resource: T, close: (resource: T) => Promise<void>) {
    this.resource = resource;
    this.#close = close;
  }

  get holders(): readonly string[] {
    return this.#holders;
  }

  /** Resolves when the resource has been closed. Never rejects. */
  get closed(): Promise<void> {
    this.#closed ??=
      this.#state === 'closed'
        ? Promise.resolve()
        : new Promise((resolve) => {
            this.#settle = resolve;
          });
    return this.#closed;
  }

  /** Takes a hold; false if the resource is already closing. A holder may enter once. */
  enter(holder: string): boolean {
    if (this.#state !== 'open') return false;
    if (!this.#holders.includes(holder)) this.#holders = this.#holders.concat(holder); // no room for more: see ThreadGroup
    return true;
  }

  /** Lets go; the last one out closes the resource. Leaving twice does nothing. */
  leave(holder: string): void {
    if (!this.#holders.includes(holder)) return;
    this.#holders = this.#holders.filter((other) => other !== holder);
    if (this.#holders.length === 0) this.force();
  }

  /** Closes it whoever still holds it: for the end of a group whose threads are stuck. */
  force(): void {
    if (this.#state !== 'open') return;
    this.#state = 'closing';
    void this.#closeResource();
  }

  /** A `close` that fails all the same has closed as far as it can: those who wait must not wait for ever. */
  async #closeResource(): Promise<void> {
    try {
      await this.#close(this.resource);
    } catch {
      // Its owner has promised not to reject, and to tell of trouble itself.
    } finally {
      this.#state = 'closed';
      this.#settle?.();
    }
  }
}
