// The retained topics of this gateway, by their last value: its own state, the availability of every device, info. Nothing of
// this is queued while the broker is away; with every new connection all of it is published once, as it is then.

import type { RetainedState } from './outgoing.js';

export class RetainedStates {
  readonly #values = new Map<string, string>();
  readonly #changed = new Set<string>();

  /** Notes the value of a topic; an empty one makes the broker forget it. False if that is no change. */
  set(topic: string, payload: string): boolean {
    if (this.#values.get(topic) === payload && !this.#changed.has(topic)) return false;
    this.#values.set(topic, payload);
    this.#changed.add(topic);
    return true;
  }

  /** A new connection: everything has to be said again. */
  allChanged(): void {
    for (const topic of this.#values.keys()) this.#changed.add(topic);
  }

  /** What has changed since the last call. Topics that are to be forgotten are forgotten here too. */
  takeChanged(): RetainedState[] {
    const states: RetainedState[] = [];
    for (const topic of this.#changed) {
      const payload = this.#values.get(topic) ?? '';
      states.push({ topic, payload });
      if (payload === '') this.#values.delete(topic);
    }
    this.#changed.clear();
    return states;
  }
}
