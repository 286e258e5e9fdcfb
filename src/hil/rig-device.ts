// A virtual device in the hands of a test: it talks, it answers, it is looked at, and things go wrong with it.

import type { Clock } from '../core/clock.js';
import type { FaultLine, FloodOptions } from './fault-line.js';
import { RequestLines } from './request-lines.js';
import { type BytePattern, HeardBytes } from './rig-heard.js';
import { describeMatcher } from './rig-matcher.js';
import type { Timeline } from './rig-timeline.js';
import { VirtualDevice, type VirtualScript } from './virtual-device.js';
import type { VirtualLine } from './virtual-line.js';

const EXPECT_MS = 5000;

/** What a device sends back; undefined = nothing. */
export type Reply = string | Uint8Array | undefined;

/**
 * Answers by request: a table (`{ tare: 'OK\r\n' }`; what is not in it is not answered), or a function. Requests are lines of
 * text without their ends, or with `{ by: 'chunk' }` whatever came at once, as Latin-1.
 */
export type ReplyScript = Readonly<Record<string, Reply>> | ((request: string) => Reply);

export interface ReplyOptions {
  /** What one request is. Default: `line`. */
  readonly by?: 'line' | 'chunk';
}

export interface RigDeviceOptions {
  readonly name: string;
  readonly line: FaultLine;
  readonly clock: Clock;
  readonly timeline: Timeline;
  /** Makes the error of an expectation that waited in vain. */
  readonly fail: (sentence: string) => Error;
}

type Listener = (chunk: Buffer) => void;

/** One virtual device. Made by `rig.serial`, `rig.tcp` or `rig.avr`; ends with the rig. */
export class RigDevice {
  /** As in the config. */
  readonly name: string;
  readonly #line: FaultLine;
  readonly #clock: Clock;
  readonly #timeline: Timeline;
  readonly #fail: (sentence: string) => Error;
  readonly #heard: HeardBytes;
  readonly #listeners = new Set<Listener>();
  #stopReplies: () => void = () => {};
  #script: VirtualDevice | undefined;

  constructor({ name, line, clock, timeline, fail }: RigDeviceOptions) {
    this.name = name;
    this.#line = line;
    this.#clock = clock;
    this.#timeline = timeline;
    this.#fail = fail;
    this.#heard = new HeardBytes(clock);
    line.onData((chunk) => this.#hear(chunk));
  }

  /** The string form of the link that reaches it. */
  get link(): string {
    return this.#line.link;
  }

  /** Sends to the gateway. While unplugged or silent the bytes are lost, as they would be. */
  send(bytes: string | Uint8Array): void {
    this.#line.send(bytes);
  }

  /**
   * Waits until the gateway has written this, and answers the bytes that fit. Looks first at what was written since the last
   * `expect`. A string or bytes are looked for anywhere; an expression sees the bytes as Latin-1. Rejects with a RigError.
   */
  async expect(pattern: BytePattern, timeoutMs: number = EXPECT_MS): Promise<Buffer> {
    const found = await this.#heard.next(pattern, timeoutMs);
    if (found instanceof Buffer) return found;
    const why = found === 'timeout' ? `waited ${timeoutMs} ms in vain` : 'the rig has ended';
    throw this.#fail(`device "${this.name}" expects ${describeMatcher(pattern)} from the gateway: ${why}`);
  }

  /** Counts what the gateway wrote so far as read by `expect`. */
  forget(): void {
    this.#heard.forget();
  }

  /** Calls back with every chunk that the gateway writes. Answers the unsubscribe. */
  onData(listener: (chunk: Buffer) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Answers requests from now on; replaces the answers that were given before. */
  reply(script: ReplyScript, { by = 'line' }: ReplyOptions = {}): void {
    this.#stopReplies();
    const answer = typeof script === 'function' ? script : (request: string) => ownValue(script, request);
    const lines = new RequestLines();
    this.#stopReplies = this.onData((chunk) => {
      for (const request of by === 'line' ? lines.take(chunk) : [chunk.toString('latin1')]) {
        const reply = answer(request);
        if (reply !== undefined) this.send(reply);
      }
    });
  }

  /** Talks on a schedule, and answers if the script can; replaces a script that runs. See `makeScale` and its like. */
  play(script: VirtualScript): void {
    this.hush();
    this.#script = VirtualDevice.start({ line: this.port(), script, clock: this.#clock });
  }

  /** Ends the script of `play`. */
  hush(): void {
    void this.#script?.close();
    this.#script = undefined;
  }

  /** Pulls the plug: the gateway loses the link and finds nobody. Idempotent. */
  async unplug(): Promise<void> {
    this.note('unplugged');
    await this.#line.unplug();
  }

  /** Plugs it in again. Resolves when it can be opened, not when the gateway has done so. Idempotent. */
  async replug(): Promise<void> {
    await this.#line.plug();
    this.note('plugged in');
  }

  /** The link breaks and is there again at once: a TCP reset, or a hang-up of the serial line. */
  async reset(): Promise<void> {
    this.note('reset');
    await this.#line.reset();
  }

  /** Sends nothing more, for so long or until `heal`; what the gateway writes still arrives. */
  silence(ms?: number): void {
    this.note(ms === undefined ? 'silent' : `silent for ${ms} ms`);
    this.#line.silence(ms);
  }

  /** Noise on the line: each byte that it sends becomes another one with this probability, 0 to 1. 0 ends it. */
  garble(rate: number): void {
    this.note(`garbles ${rate * 100} % of its bytes`);
    this.#line.garble(rate);
  }

  /** Sends in pieces of so many bytes, `gapMs` apart (default 2), so that the gateway reads them one by one. 0 ends it. */
  split(bytes: number, gapMs?: number): void {
    this.note(`split into pieces of ${bytes} bytes`);
    this.#line.split(bytes, gapMs);
  }

  /** What it sends arrives so much later. 0 ends it. */
  delay(ms: number): void {
    this.note(`delayed by ${ms} ms`);
    this.#line.delay(ms);
  }

  /** Sends a flood; resolves when it is over. A number: so many bytes, at 1 MiB/s. */
  async flood(flood: number | FloodOptions): Promise<void> {
    const options = typeof flood === 'number' ? { bytes: flood } : flood;
    this.note(`floods with ${options.bytes} bytes`);
    await this.#line.flood(options);
  }

  /** Ends silence, garble, split and delay. */
  heal(): void {
    this.note('healed');
    this.#line.heal();
  }

  /** Ends the device; the rig does it. What the gateway wrote can still be expected. */
  async close(): Promise<void> {
    this.hush();
    this.#stopReplies();
    this.#heard.close();
    await this.#line.close();
  }

  /** Its end of the line, for something that takes it over: a script, or a simulated board. */
  protected port(): VirtualLine {
    let stop = (): void => {};
    return {
      link: this.link,
      send: (bytes) => this.send(bytes),
      onData: (listener) => {
        stop();
        stop = this.onData(listener);
      },
      unplug: () => this.#line.unplug(),
      plug: () => this.#line.plug(),
      close: async () => stop(),
    };
  }

  /** Writes into the timeline that something was done to the device. */
  protected note(text: string): void {
    this.#timeline.fault(this.name, text);
  }

  #hear(chunk: Buffer): void {
    this.#timeline.wire(this.name, 'heard', chunk);
    for (const listener of [...this.#listeners]) listener(chunk);
    this.#heard.take(chunk);
  }
}

function ownValue(table: Readonly<Record<string, Reply>>, key: string): Reply {
  return Object.hasOwn(table, key) ? table[key] : undefined;
}
