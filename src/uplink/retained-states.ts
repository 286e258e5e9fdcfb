// The retained topics of this gateway, by their last value: its own state, the availability of every device, info. None of
// this is queued while the broker is away; with every new session all of it is said once, as it is then.
//
//   set -> changed -> next -> said -> (acknowledged) arrived          a topic that was cleared is forgotten with `arrived`

/** A message of which only the last one counts. */
export interface RetainedState {
  readonly topic: string;
  /** Empty: the broker forgets the topic. */
  readonly payload: string;
}

interface Known {
  payload: string;
  /** Has been said in some session: the broker may have a value. */
  wasSaid: boolean;
}

const CLEARED = '';

export class RetainedStates {
  readonly #known = new Map<string, Known>();
  /** In the order of their changes. */
  readonly #changed = new Set<string>();

  /** Topics held, cleared ones included that the broker has not confirmed. */
  get size(): number {
    return this.#known.size;
  }

  get hasChanged(): boolean {
    return this.#changed.size > 0;
  }

  /** Notes the value of a topic. */
  set(topic: string, payload: string): void {
    const known = this.#known.get(topic);
    if (known?.payload === payload) return;
    this.#known.set(topic, { payload, wasSaid: known?.wasSaid ?? false });
    this.#changed.add(topic);
  }

  /** The broker is to forget the topic. One that it never heard of is forgotten here and now. */
  clear(topic: string): void {
    if (this.#known.get(topic)?.wasSaid) {
      this.set(topic, CLEARED);
      return;
    }
    this.#known.delete(topic);
    this.#changed.delete(topic);
  }

  /** A new session: everything has to be said again. */
  allChanged(): void {
    for (const topic of this.#known.keys()) this.#changed.add(topic);
  }

  /** What is to be said next; the same until `said`. */
  next(): RetainedState | undefined {
    for (const topic of this.#changed) return { topic, payload: this.#known.get(topic)?.payload ?? CLEARED };
    return undefined;
  }

  /** The value of `next` is on its way. */
  said(topic: string): void {
    this.#changed.delete(topic);
    const known = this.#known.get(topic);
    if (known !== undefined) known.wasSaid = true;
  }

  /** Says one after the other as long as `take` takes them; the others stay where they are, and may change meanwhile. */
  say(take: (state: RetainedState) => boolean): void {
    for (let state = this.next(); state !== undefined && take(state); state = this.next()) this.said(state.topic);
  }

  /** The broker has this value. */
  arrived({ topic, payload }: RetainedState): void {
    const isStillCleared = this.#known.get(topic)?.payload === CLEARED && !this.#changed.has(topic);
    if (payload === CLEARED && isStillCleared) this.#known.delete(topic);
  }
}
