// The taps of one device: at most one of each mode, each a thread that is added to the running group and taken out again. A
// monitor and a recorder on one device share nothing but the copies that they are given.

import type { Clock } from '../core/clock.js';
import type { GroupState } from '../core/lifecycle.js';
import type { Transition } from '../core/state-machine.js';
import type { Thread } from '../core/thread.js';
import type { ThreadGroup } from '../core/thread-group.js';
import type { ThreadRegistry } from '../core/thread-registry.js';
import type { DownMessage, Relay, TapMode } from '../device/message.js';
import type { Direction, Tap } from './device-context.js';
import { RawTapThread } from './raw-tap.js';
import { TapThread } from './tap.js';

/** Label of the thread of each mode. */
const LABELS: Readonly<Record<TapMode, string>> = { lines: 'tap', raw: 'recorder' };

export interface TapsOptions {
  /** The group whose line it is. */
  readonly id: string;
  readonly clock: Clock;
  readonly relay: Relay;
  readonly registry: Pick<ThreadRegistry<DownMessage>, 'allocate'>;
  readonly group: Pick<ThreadGroup, 'add' | 'remove' | 'state'>;
  /** Told who gets the copies from now on; undefined: nobody watches. */
  readonly onChange: (tap: Tap | undefined) => void;
}

/** True for the label of a tap's thread: its crash is not the device's. */
export function isTap(label: string): boolean {
  return Object.values(LABELS).includes(label);
}

export class Taps implements Tap {
  readonly #options: TapsOptions;
  #lines: TapThread | undefined;
  #raw: RawTapThread | undefined;

  constructor(options: TapsOptions) {
    this.#options = options;
  }

  /** Adds the tap of that mode, or gives the one that runs this long from now on. False while the group closes. */
  async start(mode: TapMode, seconds: number): Promise<boolean> {
    // One that is just ending has its label until it is out.
    if (this.#running(mode) === undefined) await this.#options.group.remove(LABELS[mode]);
    if (this.#running(mode) === undefined) this.#add(mode);
    this.#running(mode)?.extend(seconds * 1000);
    return this.#running(mode) !== undefined;
  }

  /** Takes the tap out; resolves when it has said what it had. */
  stop(mode: TapMode): Promise<void> {
    if (mode === 'lines') this.#lines = undefined;
    else this.#raw = undefined;
    this.#tellWho();
    return this.#options.group.remove(LABELS[mode]);
  }

  /** Copies for all that run. */
  take(direction: Direction, bytes: Buffer, at: number): void {
    this.#lines?.take(direction, bytes, at);
    this.#raw?.take(direction, bytes);
  }

  /** The group goes from one state to another: for a recording, the link may have been lost, or have come back. */
  moved({ from, to, reason }: Transition<GroupState>): void {
    if (isUp(from) !== isUp(to)) this.#raw?.note(isUp(to) ? 'online' : 'lost', reason);
  }

  #running(mode: TapMode): TapThread | RawTapThread | undefined {
    return mode === 'lines' ? this.#lines : this.#raw;
  }

  #add(mode: TapMode): void {
    const { id, clock, relay, registry, group } = this.#options;
    const tapOptions = { id, clock, relay, registry, onOver: () => void this.stop(mode) };
    const tap = mode === 'lines' ? new TapThread(tapOptions) : new RawTapThread(tapOptions);
    // However it ends, also by a crash or with the group: from then on there is nothing to copy for.
    const body = (thread: Thread): Promise<void> => tap.run(thread).finally(() => void this.stop(mode));
    if (group.add({ label: LABELS[mode], inboxes: [tap.inbox], body }) === undefined) return;
    if (tap instanceof TapThread) this.#lines = tap;
    else this.#beginRaw(tap);
    this.#tellWho();
  }

  /** A recording begins by saying whether there is a link. */
  #beginRaw(tap: RawTapThread): void {
    const { state, reason } = this.#options.group.state;
    this.#raw = tap;
    tap.note(isUp(state) ? 'online' : 'lost', reason);
  }

  #tellWho(): void {
    this.#options.onChange((this.#lines ?? this.#raw) ? this : undefined);
  }
}

function isUp(state: GroupState): boolean {
  return state === 'online' || state === 'silent';
}
