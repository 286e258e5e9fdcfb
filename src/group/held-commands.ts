// Commands for a device that is offline and whose config says `when_offline: hold`: they wait here, in order and for so long,
// until the device is back. Bounded; one timer for all of them, and none while none waits.

import type { Clock, Timer } from '../core/clock.js';
import type { Command } from '../device/message.js';
import { timeLeft } from './time-left.js';

/** Commands that may wait for one device to come back. */
export const MAX_HELD = 100;
/** Their payloads together, bytes. */
const MAX_HELD_BYTES = 1024 * 1024;

/** What became of a command. */
export type HoldResult = 'held' | 'full' | 'closed';

interface Held {
  readonly command: Command;
  /** Monotonic ms up to which it may wait. */
  readonly until: number;
  /** Whose time that is: its own, or that of `max_hold`. */
  readonly whose: 'own' | 'max-hold';
}

export interface HeldCommandsOptions {
  readonly clock: Clock;
  /** Longest wait of each, ms. One whose own time is over before waits no longer than that. */
  readonly maxHoldMs: number;
  readonly onExpired: (command: Command, whose: Held['whose']) => void;
}

export class HeldCommands {
  readonly #options: HeldCommandsOptions;
  #held: Held[] = [];
  /** Of those too that have left for a link: one that is lost again must not give them their time anew. */
  readonly #known = new WeakMap<Command, Held>();
  #timer: Timer | undefined;
  #isClosed = false;

  constructor(options: HeldCommandsOptions) {
    this.#options = options;
  }

  get length(): number {
    return this.#held.length;
  }

  /** Takes a command behind those that are here. */
  hold(command: Command): HoldResult {
    if (this.#isClosed) return 'closed';
    const bytes = this.#held.reduce((sum, { command: { payload } }) => sum + payload.length, command.payload.length);
    if (this.#held.length >= MAX_HELD || bytes > MAX_HELD_BYTES) return 'full';
    this.#held.push(this.#timed(command));
    this.#arm();
    return 'held';
  }

  /** Takes commands that had left already and could not be sent: before those that came later. Answers those without room. */
  takeBack(commands: readonly Command[]): Command[] {
    if (this.#isClosed) return [...commands];
    this.#held = [...commands.map((command) => this.#timed(command)), ...this.#held];
    const tooMany = this.#held.splice(MAX_HELD);
    this.#expire();
    return tooMany.map(({ command }) => command);
  }

  /** Hands out everything whose time is not over, oldest first. */
  release(): Command[] {
    this.#expire();
    const commands = this.#held.map(({ command }) => command);
    this.#held = [];
    this.#arm();
    return commands;
  }

  /** The same, and takes nothing any more. */
  close(): Command[] {
    this.#isClosed = true;
    return this.release();
  }

  #timed(command: Command): Held {
    const known = this.#known.get(command);
    if (known !== undefined) return known;
    const { clock, maxHoldMs } = this.#options;
    const ownMs = timeLeft(command, clock);
    const whose = ownMs < maxHoldMs ? 'own' : 'max-hold';
    const held: Held = { command, until: clock.now() + Math.min(maxHoldMs, ownMs), whose };
    this.#known.set(command, held);
    return held;
  }

  /** Sets the timer to the one whose time is over first. */
  #arm(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#held.length === 0) return;
    const { clock } = this.#options;
    const first = this.#held.reduce((earliest, { until }) => Math.min(earliest, until), Number.POSITIVE_INFINITY);
    this.#timer = clock.after(Math.max(0, first - clock.now()), () => this.#expire());
  }

  #expire(): void {
    const { clock, onExpired } = this.#options;
    const now = clock.now();
    const over = this.#held.filter(({ until }) => until <= now);
    this.#held = this.#held.filter(({ until }) => until > now);
    this.#arm();
    for (const { command, whose } of over) onExpired(command, whose);
  }
}
