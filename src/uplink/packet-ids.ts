// The 16-bit packet identifiers of one MQTT session, split in two so that two writers share a connection without talking
// to each other: mqtt.js numbers its SUBSCRIBE and UNSUBSCRIBE packets from the small range, our hand-packed PUBLISH
// packets (window.ts) take the rest. A PUBACK says by its number to whom it belongs.

/** Last id of mqtt.js's range; ids begin at 1. */
export const LAST_SESSION_ID = 255;
/** Range of the ids of our PUBLISH packets. */
export const FIRST_PUBLISH_ID = 256;
export const LAST_PUBLISH_ID = 65_535;
/** How many ids there are for PUBLISH packets. */
export const PUBLISH_IDS = LAST_PUBLISH_ID - FIRST_PUBLISH_ID + 1;

/** The publish id `step` places after `id`, around the end of the range. */
export function publishIdAfter(id: number, step: number): number {
  return ((id - FIRST_PUBLISH_ID + step) % PUBLISH_IDS) + FIRST_PUBLISH_ID;
}

/** How many places `id` stands after `from`, going round; below `PUBLISH_IDS` where both are publish ids. */
export function publishIdDistance(from: number, id: number): number {
  return (id - from + PUBLISH_IDS) % PUBLISH_IDS;
}

/** Gives mqtt.js its ids; the shape is its `IMessageIdProvider`. */
export class SessionIds {
  readonly #used = new Set<number>();
  #last = 0;

  /** The next free id, or null if all are taken: mqtt.js then waits for one. */
  allocate(): number | null {
    for (let step = 0; step < LAST_SESSION_ID; step++) {
      this.#last = (this.#last % LAST_SESSION_ID) + 1;
      if (this.register(this.#last)) return this.#last;
    }
    return null;
  }

  getLastAllocated(): number | null {
    return this.#last === 0 ? null : this.#last;
  }

  register(id: number): boolean {
    if (this.#used.has(id)) return false;
    this.#used.add(id);
    return true;
  }

  deallocate(id: number): void {
    this.#used.delete(id);
  }

  clear(): void {
    this.#used.clear();
  }
}
