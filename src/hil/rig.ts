// A rig: a real gateway process, a broker, and virtual devices, for one test. The public API is hil.ts.
//
//   test -- RigDevice -- FaultLine -- pty | TCP -- gateway process -- broker -- RigClient -- test
//            talks, faults                          (ferrule run)               expects, publishes
//
// What is made on the way, by `startRig` and by serial, tcp and avr, is ended by `stop` in the opposite order.

import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Clock } from '../core/clock.js';
import { FaultLine } from './fault-line.js';
import { seededRandom, seedFor } from './fault-random.js';
import { type Firmware, RigBoard } from './rig-board.js';
import type { Payload, PublishOptions, RigClient } from './rig-client.js';
import type { RigConfig } from './rig-config.js';
import { RigDevice, type RigDeviceOptions } from './rig-device.js';
import type { Endings } from './rig-endings.js';
import { RigError } from './rig-error.js';
import { describeEnd, type RigEnd, type RigGateway, type RigLogLine } from './rig-gateway.js';
import type { RigLines } from './rig-lines.js';
import type { Mailbox } from './rig-mailbox.js';
import { describeMatcher, type Matcher, matches } from './rig-matcher.js';
import type { RigMessage } from './rig-message.js';
import type { Timeline } from './rig-timeline.js';
import type { VirtualLine } from './virtual-line.js';

/** The config file, in the folder of the rig. */
export const CONFIG_FILE = 'ferrule.yaml';

const ONLINE_MS = 30_000;
const EXPECT_MS = 5000;
/** What is shown of the log of a gateway that has died. */
const LAST_WORDS = 5;
const LEGEND =
  'what happened (ms; => device sent, <= gateway wrote, -> gateway published, <- test published, !! fault):';

/** How a device is put on. */
export interface AttachOptions {
  /** Wait until the gateway says `online`. Default true. */
  readonly untilOnline?: boolean;
  /** How long that may take, ms. Default 30 s, for machines under load; most devices take some 20 ms, a board 2 s. */
  readonly withinMs?: number;
}

/** One device as on `bridge/devices`. */
export interface DeviceState {
  readonly name: string;
  readonly state: string;
  readonly reason: string;
  readonly counters: Readonly<Record<string, unknown>>;
  readonly [field: string]: unknown;
}

/** What `startRig` has made. */
export interface RigParts {
  readonly dir: string;
  readonly config: RigConfig;
  readonly gateway: RigGateway;
  readonly client: RigClient;
  readonly mailbox: Mailbox;
  readonly timeline: Timeline;
  readonly lines: RigLines;
  readonly clock: Clock;
  readonly seed: number;
  readonly stopWithinMs: number;
  /** Told of each message. */
  readonly listeners: Set<(message: RigMessage) => void>;
  /** What ends everything. */
  readonly endings: Endings;
}

/** A running rig. Made by `rig`; `stop` it, or hold it with `await using`. */
export class Rig implements AsyncDisposable {
  readonly #parts: RigParts;
  readonly #devices = new Map<string, RigDevice>();
  #reloading: Promise<unknown> = Promise.resolve();
  #stopping: Promise<RigEnd> | undefined;

  constructor(parts: RigParts) {
    this.#parts = parts;
  }

  /** The base of all topics, for an MQTT client of your own. */
  get base(): string {
    return this.#parts.config.base;
  }

  /** The gateway's process. */
  get pid(): number {
    return this.#parts.gateway.pid;
  }

  /** The gateway's log so far, oldest first; the last 2000 lines. */
  get log(): readonly RigLogLine[] {
    return this.#parts.gateway.log;
  }

  /** Folder of the gateway: its config file, `data`, the ptys' names. Gone after `stop`. */
  get dir(): string {
    return this.#parts.dir;
  }

  /**
   * Puts a device of the config on a virtual serial port. Where there are no ptys the rig says so once, and it is TCP instead.
   * Resolves when the gateway has it online; rejects with a RigError if it does not come online.
   */
  async serial(name: string, options: AttachOptions = {}): Promise<RigDevice> {
    return this.#attach(name, options, () => this.#parts.lines.serial(name), makeDevice);
  }

  /** Puts a device of the config behind a TCP port, to which the gateway connects. The rest as for `serial`. */
  async tcp(name: string, options: AttachOptions = {}): Promise<RigDevice> {
    return this.#attach(name, options, () => this.#parts.lines.tcp(), makeDevice);
  }

  /**
   * Plugs in an Arduino Uno that runs this firmware (default: StandardFirmata), simulated at real time; its UART is on a virtual serial port. The rest as
   * for `serial`.
   */
  async avr(name: string, options: Firmware & AttachOptions = {}): Promise<RigBoard> {
    const openLine = (): Promise<VirtualLine> => this.#parts.lines.serial(name);
    return this.#attach(name, options, openLine, (parts) => RigBoard.start(parts, options));
  }

  /**
   * Waits for a message on a topic (relative to the base) and answers it. Looks first at what came there since the last
   * `expect` on that topic, so it does not matter which comes first; what it finds, and all before it, is then read. An old
   * message counts as well: where the device was online all the time, call `forget` before you expect `online`. Rejects with
   * a RigError that shows what happened.
   */
  async expect(topic: string, matcher: Matcher, timeoutMs: number = EXPECT_MS): Promise<RigMessage> {
    const { mailbox } = this.#parts;
    const found = await mailbox.next(topic, (message) => matches(matcher, message), timeoutMs);
    if (typeof found !== 'string') return found;
    const why = found === 'timeout' ? `waited ${timeoutMs} ms in vain` : 'the rig has ended';
    throw this.#failure(`expected ${describeMatcher(matcher)} on "${topic}": ${why}; ${this.#whatCame(topic)}`);
  }

  /** Counts what came so far as read by `expect`: on one topic, or on all. */
  forget(topic?: string): void {
    this.#parts.mailbox.forget(topic);
  }

  /** Calls back with every message of the gateway, for what `expect` is too little. Answers the unsubscribe. */
  onMessage(listener: (message: RigMessage) => void): () => void {
    this.#parts.listeners.add(listener);
    return () => void this.#parts.listeners.delete(listener);
  }

  /** Publishes to a topic (relative to the base) at QoS 1: text or bytes as they are, anything else as JSON. */
  publish(topic: string, payload: Payload, options?: PublishOptions): Promise<void> {
    return this.#parts.client.publish(topic, payload, options);
  }

  /** Asks the gateway: `bridge/request/<path>`. Answers the data of its response; rejects with a RigError for an error. */
  request(path: string, body?: object): Promise<unknown> {
    return this.#parts.client.request(path, body);
  }

  /** What the gateway says of a device now: state, reason, counters. */
  async state(device: string): Promise<DeviceState> {
    const list = (await this.request('devices')) as readonly DeviceState[]; // as on bridge/devices
    const found = list.find(({ name }) => name === device);
    if (found !== undefined) return found;
    const known = list.map(({ name }) => name).join(', ') || 'none';
    throw new RigError('rig-config', `the gateway knows no device "${device}"; it has ${known}`);
  }

  /** Sends the gateway's process a signal. */
  signal(signal: NodeJS.Signals): void {
    this.#parts.gateway.signal(signal);
  }

  /** Ends everything: gateway (SIGTERM, after 10 s SIGKILL), devices, broker, files. Answers how the gateway ended. Idempotent. */
  stop(): Promise<RigEnd> {
    this.#stopping ??= this.#end();
    return this.#stopping;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #end(): Promise<RigEnd> {
    const { gateway, endings, stopWithinMs } = this.#parts;
    const end = await gateway.stop(stopWithinMs); // first: its last words to devices and topics are still heard
    await endings.run();
    return end ?? { code: null, signal: null };
  }

  async #attach<T extends RigDevice>(
    name: string,
    options: AttachOptions,
    openLine: () => Promise<VirtualLine>,
    make: (options: RigDeviceOptions) => T | Promise<T>,
  ): Promise<T> {
    const { config, clock, timeline, seed, endings } = this.#parts;
    config.check(name);
    if (this.#devices.has(name)) throw new RigError('rig-config', `device "${name}" is on a line of the rig already`);
    const line = new FaultLine({
      line: await openLine(),
      clock,
      random: seededRandom(seedFor(name, seed)),
      onSent: (bytes) => timeline.wire(name, 'sent', bytes),
    });
    const ended = (): RigError => new RigError('rig-ended', `device "${name}": the rig has ended`);
    if (this.#stopping) {
      await line.close();
      throw ended();
    }
    endings.add(() => line.close());
    const fail = (sentence: string): Error => this.#failure(sentence);
    timeline.fault(name, `is put on ${line.link}`);
    const device = await make({ name, line, clock, timeline, fail });
    if (this.#stopping) {
      await device.close(); // a board takes its time to start
      throw ended();
    }
    endings.add(() => device.close());
    this.#devices.set(name, device);
    config.attach(name, line.link);
    await this.#apply(name, options);
    return device;
  }

  /** Has the gateway read the config again, now with the line of `name`. One at a time. */
  async #apply(name: string, { untilOnline = true, withinMs = ONLINE_MS }: AttachOptions): Promise<void> {
    const { config, mailbox, dir } = this.#parts;
    const availability = `${name}/availability`;
    const reload = async (): Promise<void> => {
      mailbox.forget(availability);
      writeFileSync(path.join(dir, CONFIG_FILE), config.text());
      await this.request('reload');
    };
    const done = this.#reloading.then(reload);
    this.#reloading = done.catch(() => {});
    await done;
    if (!untilOnline) return;
    const isOnline = (message: RigMessage): boolean => matches({ state: 'online' }, message);
    const found = await mailbox.next(availability, isOnline, withinMs);
    if (typeof found === 'string') throw this.#failure(`device "${name}" did not come online within ${withinMs} ms`);
  }

  #whatCame(topic: string): string {
    const { counts } = this.#parts.mailbox;
    const count = counts.get(topic) ?? 0;
    if (count > 0) return `${count} messages came there in all`;
    const others = [...counts.keys()].filter((other) => !other.startsWith('bridge/') || topic.startsWith('bridge/'));
    return `nothing ever came there, only on ${others.sort().join(', ') || 'topics of the bridge'}`;
  }

  #failure(sentence: string): RigError {
    const { gateway, timeline } = this.#parts;
    const lines = [sentence, LEGEND, ...timeline.lines()];
    if (gateway.end && !this.#stopping)
      lines.push(`the gateway has ended with ${describeEnd(gateway.end)}:`, ...gateway.tail(LAST_WORDS));
    return new RigError('rig-expectation', lines.join('\n'));
  }
}

function makeDevice(options: RigDeviceOptions): RigDevice {
  return new RigDevice(options);
}
