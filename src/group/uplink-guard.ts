// `on_uplink_lost`: writes a device's fail-safe bytes when the broker has been away for so long, once per absence; to a device
// that comes online later, then. The bytes go through the lane of the commands, so that they never cut into one.

import type { Timer } from '../core/clock.js';
import type { BoundedOutcome } from './bounded-write.js';
import type { DeviceContext, Payload } from './device-context.js';
import type { UplinkAbsence } from './uplink-absence.js';

const THREAD = 'send';

type Context = Pick<DeviceContext, 'clock' | 'log' | 'isReady' | 'down' | 'counters'>;

export interface UplinkGuardOptions {
  readonly absence: UplinkAbsence;
  /** How long the broker must be away, ms. */
  readonly afterMs: number;
  readonly bytes: Buffer;
}

export class UplinkGuard {
  readonly #ctx: Context;
  readonly #options: UplinkGuardOptions;
  #unwatch: () => void = () => {};
  #timer: Timer | undefined;
  /** The bytes, while they wait in the lane. */
  #waiting: Payload | undefined;
  /** Written in this absence. */
  #isDone = false;

  constructor(ctx: Context, options: UplinkGuardOptions) {
    this.#ctx = ctx;
    this.#options = options;
  }

  start(): void {
    this.#unwatch = this.#options.absence.watch((isThere) => this.#onChange(isThere));
    this.#look();
  }

  /** For good. */
  stop(): void {
    this.#unwatch();
    this.#reset();
  }

  /** The link has come up. */
  onLinkUp(): void {
    this.#look();
  }

  #onChange(isThere: boolean): void {
    if (isThere) this.#reset();
    else this.#look();
  }

  /** The absence is over, or nobody cares any more: what still waits in the lane is not wanted when its turn comes. */
  #reset(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#waiting = undefined;
    this.#isDone = false;
  }

  /** Queues the bytes if it is time, or waits for the time. */
  #look(): void {
    const { absence, afterMs } = this.#options;
    const { awayMs } = absence;
    if (awayMs === undefined || this.#isDone || this.#waiting !== undefined) return;
    if (awayMs >= afterMs) this.#queue();
    else this.#timer ??= this.#ctx.clock.after(afterMs - awayMs, () => this.#onTime());
  }

  /** A timer may be early by a fraction, and cut short if it is long: so it looks again. */
  #onTime(): void {
    this.#timer = undefined;
    this.#look();
  }

  #queue(): void {
    const { isReady, down } = this.#ctx;
    if (!isReady) return;
    const payload: Payload = {
      kind: 'payload',
      bytes: this.#options.bytes,
      why: 'on_uplink_lost',
      isWaiting: true,
      isWanted: () => this.#waiting === payload,
      onOutcome: (outcome) => this.#onOutcome(payload, outcome),
    };
    if (down.put(payload) === 'queued') this.#waiting = payload;
  }

  /** What could not be written is tried again with the next link. */
  #onOutcome(payload: Payload, outcome: BoundedOutcome): void {
    if (outcome === 'written') this.#tell();
    if (this.#waiting !== payload) return;
    this.#waiting = undefined;
    this.#isDone = outcome === 'written';
  }

  #tell(): void {
    const { counters, log } = this.#ctx;
    const { absence, bytes } = this.#options;
    counters.uplinkLostWrites += 1;
    const fields = { thread: THREAD, bytes: bytes.length, away_ms: Math.round(absence.awayMs ?? 0) };
    log.warn(fields, 'the broker is away: on_uplink_lost bytes written');
  }
}
