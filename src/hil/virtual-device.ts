// A device without the hardware: a script that talks on a schedule and may answer, on any VirtualLine. The scripts
// (virtual-gnss, virtual-scale, ...) are plain objects; time and chance come from the clock, so tests know every byte.
//
//   script.next() every `everyMs` --> line.send        line.onData --> lines of text --> script.answer() --> line.send

import type { Clock, Timer } from '../core/clock.js';
import { RequestLines } from './request-lines.js';
import type { VirtualLine } from './virtual-line.js';

/** What a device does. */
export interface VirtualScript {
  /** ms from one `next` to the following one. */
  readonly everyMs: number;
  /** What the device sends now, line ends included; '' = nothing. */
  next(): string;
  /** Takes one line that came to the device, without its line end (CR, LF or both); answers what is sent back, if anything. */
  answer?(request: string): string | undefined;
}

export interface VirtualDeviceOptions {
  readonly line: VirtualLine;
  readonly script: VirtualScript;
  readonly clock: Clock;
}

export class VirtualDevice {
  readonly line: VirtualLine;
  readonly #script: VirtualScript;
  readonly #clock: Clock;
  readonly #requests = new RequestLines();
  #timer: Timer | undefined;

  private constructor({ line, script, clock }: VirtualDeviceOptions) {
    this.line = line;
    this.#script = script;
    this.#clock = clock;
  }

  /** Switches the device on: it talks at once, and then on its schedule, whether somebody listens or not. */
  static start(options: VirtualDeviceOptions): VirtualDevice {
    const device = new VirtualDevice(options);
    device.line.onData((chunk) => device.#hear(chunk));
    device.#talk(options.clock.now());
    return device;
  }

  /** Switches it off and closes its line. Idempotent. */
  async close(): Promise<void> {
    this.#timer?.cancel();
    this.line.onData(() => {});
    await this.line.close();
  }

  /** The schedule is kept by due times: a late timer does not make the device slower. */
  #talk(due: number): void {
    const text = this.#script.next();
    if (text !== '') this.line.send(text);
    const now = this.#clock.now();
    const nextDue = Math.max(due + this.#script.everyMs, now);
    this.#timer = this.#clock.after(nextDue - now, () => this.#talk(nextDue));
  }

  #hear(chunk: Buffer): void {
    for (const request of this.#requests.take(chunk)) {
      const answer = this.#script.answer?.(request);
      if (answer !== undefined) this.line.send(answer);
    }
  }
}
