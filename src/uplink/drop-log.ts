// Who lost messages, and the words about it. The totals are kept per configured device: what a connection of a listener
// loses is counted to the listener, so that nothing grows with the number of peers that ever connected. The log tells
// episodes: a line when dropping begins, one when it has ended, with how many of each device.

import type { Clock, Timer } from '../core/clock.js';
import type { Log } from '../core/log.js';
import { DROP_CAUSES, DROP_REASONS, type DropCounts } from './drop-counter.js';

/** An episode has ended when nothing has been dropped for this long, ms. */
const QUIET_MS = 10_000;

export interface DropLogOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** False while dropping is bound to go on, however long it pauses: the episode stays open. */
  readonly mayEnd: () => boolean;
  /** An episode has begun or ended: the totals are news. */
  readonly onChange?: () => void;
}

interface Episode {
  readonly startedAt: number;
  readonly perDevice: Map<string, number>;
  readonly causes: Set<string>;
  lastAt: number;
}

export class DropLog {
  readonly #options: DropLogOptions;
  readonly #totals = new Map<string, number>();
  #episode: Episode | undefined;
  #timer: Timer | undefined;

  constructor(options: DropLogOptions) {
    this.#options = options;
  }

  /** From now on drops of this name, and of names below it, are counted to it. */
  addDevice(device: string): void {
    if (!this.#totals.has(device)) this.#totals.set(device, 0);
  }

  removeDevice(device: string): void {
    this.#totals.delete(device);
  }

  /** Messages of a device and its connections that were dropped since it was added. */
  of(device: string): number {
    return this.#totals.get(device) ?? 0;
  }

  /** Messages are being dropped for one of these causes. */
  isDroppingFor(causes: readonly string[]): boolean {
    return causes.some((cause) => this.#episode?.causes.has(cause));
  }

  /** Notes messages dropped. `cause`: one of a few sentences, each of which is logged once in an episode. */
  note(device: string, messages: number, cause: string): void {
    const owner = this.#ownerOf(device);
    this.#totals.set(owner, this.of(owner) + messages);
    const episode = this.#episode ?? this.#begin();
    episode.lastAt = this.#options.clock.now();
    episode.perDevice.set(owner, (episode.perDevice.get(owner) ?? 0) + messages);
    if (episode.causes.has(cause)) return;
    episode.causes.add(cause);
    this.#options.log.error(
      { thread: 'send', device: owner },
      `messages are being dropped: ${cause}; they are counted`,
    );
    this.#options.onChange?.();
  }

  /** Notes what the outbox has discarded, per device. */
  noteAll(drops: ReadonlyMap<string, DropCounts>): void {
    for (const [device, counts] of drops) {
      for (const reason of DROP_REASONS) if (counts[reason] > 0) this.note(device, counts[reason], DROP_CAUSES[reason]);
    }
  }

  /** Ends the episode, if there is one: nobody will look again. */
  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#episode !== undefined) this.#end(this.#episode);
  }

  #begin(): Episode {
    const now = this.#options.clock.now();
    const episode = { startedAt: now, lastAt: now, perDevice: new Map(), causes: new Set<string>() };
    this.#episode = episode;
    this.#lookIn(QUIET_MS, episode);
    return episode;
  }

  #lookIn(ms: number, episode: Episode): void {
    const { clock, mayEnd } = this.#options;
    this.#timer = clock.after(ms, () => {
      const leftMs = episode.lastAt + QUIET_MS - clock.now();
      if (leftMs > 0) this.#lookIn(leftMs, episode);
      else if (!mayEnd()) this.#lookIn(QUIET_MS, episode);
      else this.#end(episode);
    });
  }

  #end({ startedAt, lastAt, perDevice }: Episode): void {
    this.#episode = undefined;
    const counts = [...perDevice].map(([device, messages]) => `${messages} of ${device}`);
    const fields = { thread: 'send', dropped: Object.fromEntries(perDevice), for_ms: Math.round(lastAt - startedAt) };
    this.#options.log.warn(fields, `messages are no longer dropped; lost were ${counts.join(', ')}`);
    this.#options.onChange?.();
  }

  /** The configured device that a name belongs to: itself, or the nearest above it. */
  #ownerOf(name: string): string {
    for (let owner = name; owner !== ''; owner = owner.slice(0, Math.max(0, owner.lastIndexOf('/')))) {
      if (this.#totals.has(owner)) return owner;
    }
    return 'bridge';
  }
}
