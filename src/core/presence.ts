// Whether something is there, for those who need to know when it goes and comes: the uplink's session, as device groups see it.

/** Told with every change; must not throw. */
export type PresenceListener = (isThere: boolean) => void;

export class Presence {
  readonly #listeners = new Set<PresenceListener>();
  #isThere: boolean;

  constructor(isThere = false) {
    this.#isThere = isThere;
  }

  get isThere(): boolean {
    return this.#isThere;
  }

  set(isThere: boolean): void {
    if (isThere === this.#isThere) return;
    this.#isThere = isThere;
    for (const listener of [...this.#listeners]) listener(isThere);
  }

  /** Calls `listener` with every change from now on, until the answered function is called. */
  watch(listener: PresenceListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
