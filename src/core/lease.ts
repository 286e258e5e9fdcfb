// Shared ownership of one open thing: the link of a group belongs to all its threads, and the last thread out closes it.
// Closing happens exactly once, and only when nobody uses it any more.

/** A counted hold on `resource`. Made with no holders; the first `enter` counts, the last `leave` closes. */
export class Lease<T> {
  readonly resource: T;
  /** Resolves when the resource has been closed. Never rejects. */
  readonly closed: Promise<void>;
  readonly #holders = new Set<string>();
  readonly #close: (resource: T) => Promise<void>;
  #settle: () => void = () => {};
  #isClosing = false;

  /** `close` is called once, by the last holder to leave; it must not reject. */
  constructor(resource: T, close: (resource: T) => Promise<void>) {
    this.resource = resource;
    this.#close = close;
    this.closed = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  get holders(): readonly string[] {
    return [...this.#holders];
  }

  /** Takes a hold; false if the resource is already closing. A holder may enter once. */
  enter(holder: string): boolean {
    if (this.#isClosing) return false;
    this.#holders.add(holder);
    return true;
  }

  /** Lets go; the last one out closes the resource. Leaving twice does nothing. */
  leave(holder: string): void {
    if (!this.#holders.delete(holder) || this.#holders.size > 0) return;
    this.force();
  }

  /** Closes it whoever still holds it: for the end of a group whose threads are stuck. */
  force(): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    void this.#closeResource();
  }

  /** A `close` that fails all the same has closed as far as it can: those who wait must not wait for ever. */
  async #closeResource(): Promise<void> {
    try {
      await this.#close(this.resource);
    } catch {
      // Its owner has promised not to reject, and to tell of trouble itself.
    } finally {
      this.#settle();
    }
  }
}
