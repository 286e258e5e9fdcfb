// A monitor at work: asks the gateway for a tap of the device (`bridge/request/device/tap`), shows what comes on the device's
// topics, asks anew before the tap ends, and takes it back at the end.

import { randomUUID } from 'node:crypto';
import type { MqttClient } from 'mqtt';
import type { Clock, Timer } from '../core/clock.js';
import { handleSignals } from '../signals.js';
import type { Topics } from '../uplink/topics.js';
import { EXIT } from './exit-codes.js';
import { type MonitorKind, monitorJson, monitorLine } from './monitor-line.js';

export interface MonitorSessionOptions {
  readonly client: MqttClient;
  /** Of the broker, for messages. */
  readonly url: string;
  readonly topics: Topics;
  readonly clock: Clock;
  readonly device: string;
  /** Absent: until a signal. */
  readonly seconds?: number | undefined;
  readonly json: boolean;
  readonly out: (line: string) => void;
  readonly err: (line: string) => void;
}

const TAP_PATH = 'device/tap';
/** Short, and asked for anew in time: should this process be killed, the tap is gone soon. */
const TAP_SECONDS = 60;
const RENEW_MS = 20_000;
/** How long the gateway has to answer, ms. */
const ANSWER_MS = 5000;
/** How long taking the tap back may take, ms. */
const FAREWELL_MS = 1000;

export class MonitorSession {
  readonly #options: MonitorSessionOptions;
  readonly #kinds: ReadonlyMap<string, MonitorKind>;
  readonly #answers: string;
  /** Tells our requests from those of others. */
  readonly #transaction: string = randomUUID();
  readonly #timers = new Map<string, Timer>();
  #isTapped = false;
  /** Why there is no broker. */
  #trouble = 'it does not answer';
  #end: (code: number) => void = () => {};

  constructor(options: MonitorSessionOptions) {
    this.#options = options;
    const { topics, device } = options;
    this.#answers = topics.bridge.response(TAP_PATH);
    this.#kinds = new Map([
      [topics.tap(device), 'tap'],
      [topics.readings(device), 'reading'],
      [topics.response(device), 'response'],
      [topics.availability(device), 'availability'],
    ]);
  }

  /** Runs until a signal, the end of its time, or a trouble that it has told; gives the exit code. */
  async run(): Promise<number> {
    const { client, seconds } = this.#options;
    let release = (): void => {};
    try {
      return await new Promise<number>((resolve, reject) => {
        this.#end = resolve;
        release = this.#endOnSignals(reject);
        client.on('connect', () => this.#subscribe());
        client.on('message', (topic, payload) => this.#onMessage(topic, payload));
        client.on('error', ({ message, name }) => (this.#trouble = message || name)); // mqtt.js tries again
        this.#after('answer', ANSWER_MS, () => this.#onNoAnswer());
        this.#after('renew', RENEW_MS, () => this.#renew());
        if (seconds !== undefined) this.#after('end', seconds * 1000, () => resolve(EXIT.clean));
      });
    } finally {
      await this.#farewell();
      release();
    }
  }

  /** Also where nobody reads the output any more: `ferrule monitor scale | head`. */
  #endOnSignals(onBug: (error: unknown) => void): () => void {
    const end = (): void => this.#end(EXIT.clean);
    process.stdout.on('error', end);
    const release = handleSignals({
      onStop: end,
      onImpatience: () => {},
      onReload: end,
      onUncaught: onBug,
      onUnhandled: onBug,
    });
    return () => {
      process.stdout.off('error', end);
      release();
    };
  }

  #subscribe(): void {
    const { client } = this.#options;
    client.subscribe([...this.#kinds.keys(), this.#answers], { qos: 1 }, (error) => {
      if (error) this.#fail(`the broker does not let us subscribe: ${error.message}`, EXIT.unreachable);
      else this.#ask(TAP_SECONDS);
    });
  }

  #renew(): void {
    if (this.#options.client.connected) this.#ask(TAP_SECONDS);
    this.#after('renew', RENEW_MS, () => this.#renew());
  }

  #ask(seconds: number, done: () => void = () => {}): void {
    const { client, topics, device } = this.#options;
    const request = JSON.stringify({ id: device, seconds, transaction: this.#transaction });
    client.publish(topics.bridge.request(TAP_PATH), request, { qos: 1 }, done);
  }

  #onMessage(topic: string, payload: Buffer): void {
    const { json, out, clock } = this.#options;
    const kind = this.#kinds.get(topic);
    if (kind !== undefined) out((json ? monitorJson : monitorLine)(kind, payload, clock.wall()));
    else if (topic === this.#answers) this.#onAnswer(payload);
  }

  #onAnswer(payload: Buffer): void {
    const answer = answerIn(payload);
    if (answer?.transaction !== this.#transaction) return;
    this.#cancel('answer');
    if (answer.status !== 'ok') {
      this.#fail(String(answer.error), EXIT.usage);
    } else if (!this.#isTapped) {
      this.#isTapped = true;
      this.#options.err(`watching ${this.#options.device}; Ctrl-C ends`);
    }
  }

  #onNoAnswer(): void {
    const { client, url, topics } = this.#options;
    if (!client.connected) this.#fail(`no broker at ${withoutLogin(url)}: ${this.#trouble}`, EXIT.unreachable);
    else
      this.#fail(`no gateway answers below ${topics.base}: is \`ferrule run\` up, with this config?`, EXIT.unreachable);
  }

  #fail(sentence: string, code: number): void {
    this.#options.err(sentence);
    this.#end(code);
  }

  /** Takes the tap back, if that can be done at once, and leaves the broker. */
  async #farewell(): Promise<void> {
    const { client } = this.#options;
    for (const name of [...this.#timers.keys()]) this.#cancel(name);
    client.removeAllListeners('message');
    if (client.connected && this.#isTapped) {
      await new Promise<void>((resolve) => {
        this.#after('farewell', FAREWELL_MS, resolve);
        this.#ask(0, resolve);
      });
    }
    client.end(true);
  }

  #after(name: string, ms: number, act: () => void): void {
    this.#timers.set(name, this.#options.clock.after(ms, act));
  }

  #cancel(name: string): void {
    this.#timers.get(name)?.cancel();
    this.#timers.delete(name);
  }
}

function answerIn(payload: Buffer): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(payload.toString('utf8'));
    return typeof value === 'object' && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

/** A broker's URL may hold a password. */
function withoutLogin(url: string): string {
  const { protocol, host } = new URL(url);
  return `${protocol}//${host}`;
}
