// A visit to the tap of a device of a running gateway, over MQTT: asks for the tap (`bridge/request/device/tap`), asks anew before
// it ends, and takes it back at the end. What comes on the tap is its owner's (`monitor-session.ts`, `record-session.ts`).
//
//   ask -> agreed -> renew, renew ... -> farewell        no answer, no broker, refused: a sentence and an exit code
//                       away -> back                     broker or gateway: one sentence each, and the visit goes on

import { randomUUID } from 'node:crypto';
import type { MqttClient } from 'mqtt';
import type { Clock, Timer } from '../core/clock.js';
import type { Topics } from '../uplink/topics.js';
import { noBroker, noGateway, wordsOf } from './broker-access.js';
import { EXIT } from './exit-codes.js';
import { jsonIn } from './gateway-client.js';

/** Whose tap, and by which way. */
export interface TapVisitPlace {
  readonly client: MqttClient;
  /** Of the broker, for messages. */
  readonly url: string;
  readonly topics: Topics;
  readonly clock: Clock;
  readonly device: string;
  /** Absent: until it is ended. */
  readonly seconds?: number | undefined;
  readonly err: (line: string) => void;
}

export interface TapVisitOptions extends TapVisitPlace {
  /** `raw`: chunk by chunk. Absent: the tap for people. */
  readonly mode?: 'raw';
  /** What is subscribed to beside the answers. */
  readonly listenTo: readonly string[];
  readonly onMessage: (topic: string, payload: Buffer) => void;
  /** The gateway has agreed for the first time; `data` as it came in its answer. */
  readonly onAgreed: (data: unknown) => void;
  /**
   * A gateway that refuses what it had agreed to (it ends, or the device is being changed): `wait` asks again, `end` goes. One that
   * was away is asked again in any case: its devices come back after it.
   */
  readonly onRefused: 'wait' | 'end';
  /** How it leaves: when the tap has said its last word (see `over`), or as soon as the broker has the request to end it. */
  readonly farewell: 'last-word' | 'at-once';
}

const TAP_PATH = 'device/tap';
/** Short, and asked for anew in time: should this process be killed, the tap is gone soon. */
const TAP_SECONDS = 60;
const RENEW_MS = 20_000;
/** The same, while the gateway refuses what it had agreed to. */
const RETRY_MS = 2000;
/** How long the gateway has to answer, ms. */
const ANSWER_MS = 5000;
/** How long taking the tap back may take, ms. */
const FAREWELL_MS = { 'last-word': 3000, 'at-once': 1000 } as const;

export class TapVisit {
  readonly #options: TapVisitOptions;
  readonly #answers: string;
  /** Tells our requests from those of others. */
  readonly #transaction: string = randomUUID();
  readonly #timers = new Map<string, Timer>();
  #state: 'asking' | 'agreed' | 'leaving' = 'asking';
  /** What the gateway said last, if it did not agree. */
  #refusal: string | undefined;
  /** Why there is no broker. */
  #trouble = 'it does not answer';
  /** Who went away since the gateway agreed: a line that says nothing must not look like a device that is quiet. */
  #away: 'broker' | 'gateway' | undefined;
  #end: (code: number) => void = () => {};
  #onOver: () => void = () => {};

  constructor(options: TapVisitOptions) {
    this.#options = options;
    this.#answers = options.topics.bridge.response(TAP_PATH);
  }

  /** `agreed`: the gateway has said yes, and may have gone away since. `leaving`: the tap is being taken back. */
  get state(): 'asking' | 'agreed' | 'leaving' {
    return this.#state;
  }

  /** Runs until `end`, the end of its time, or a trouble that it has told; gives the exit code. `leave` is to follow. */
  run(): Promise<number> {
    const { client, seconds } = this.#options;
    return new Promise<number>((resolve) => {
      this.#end = resolve;
      client.on('connect', () => this.#subscribe());
      client.on('message', (topic, payload) => this.#onMessage(topic, payload));
      client.on('error', (error) => (this.#trouble = wordsOf(error))); // mqtt.js tries again
      client.on('close', () => this.#onClose());
      this.#after('answer', ANSWER_MS, () => this.#onNoAnswer());
      this.#after('renew', RENEW_MS, () => this.#renew());
      if (seconds !== undefined) this.#after('end', seconds * 1000, () => resolve(EXIT.clean));
    });
  }

  end(code: number): void {
    this.#end(code);
  }

  /** Says why, and ends. */
  fail(sentence: string, code: number): void {
    this.#options.err(sentence);
    this.#end(code);
  }

  /** Asks for the tap, or for more time of it. */
  ask(): void {
    if (this.#state === 'leaving') return; // a broker that is back just now
    if (this.#state === 'agreed') this.#after('answer', ANSWER_MS, () => this.#onSilence());
    this.#request(TAP_SECONDS);
  }

  /** The tap has said its last word. */
  over(): void {
    this.#onOver();
  }

  /** Takes the tap back, if that can be done at once, and leaves the broker. */
  async leave(): Promise<void> {
    const { client, farewell } = this.#options;
    const isTapped = this.#state === 'agreed';
    this.#state = 'leaving';
    for (const name of [...this.#timers.keys()]) this.#cancel(name);
    if (farewell === 'at-once') client.removeAllListeners('message');
    if (client.connected && isTapped) await this.#takeBack();
    client.removeAllListeners('message');
    client.end(true);
  }

  async #takeBack(): Promise<void> {
    const { farewell } = this.#options;
    await new Promise<void>((resolve) => {
      this.#onOver = resolve;
      this.#after('farewell', FAREWELL_MS[farewell], resolve);
      this.#request(0, farewell === 'at-once' ? resolve : undefined);
    });
    this.#cancel('farewell');
  }

  #subscribe(): void {
    const { client, listenTo, topics } = this.#options;
    client.subscribe([...listenTo, this.#answers, topics.bridge.state], { qos: 1 }, (error) => {
      if (!error) this.ask();
      // A refusal has a code. Without one the connection was lost: it comes back, and this is asked anew.
      else if (this.#state === 'asking' || 'code' in error)
        this.fail(`the broker does not let us subscribe: ${error.message}`, EXIT.unreachable);
    });
  }

  #renew(): void {
    if (this.#options.client.connected) this.ask();
    this.#after('renew', RENEW_MS, () => this.#renew());
  }

  #request(seconds: number, done: () => void = () => {}): void {
    const { client, topics, device, mode } = this.#options;
    const request = JSON.stringify({ id: device, seconds, ...(mode && { mode }), transaction: this.#transaction });
    client.publish(topics.bridge.request(TAP_PATH), request, { qos: 1 }, done);
  }

  #onMessage(topic: string, payload: Buffer): void {
    const { onMessage, topics } = this.#options;
    if (topic === this.#answers) this.#onAnswer(payload);
    else if (topic === topics.bridge.state) this.#onState(jsonIn(payload)?.state);
    else onMessage(topic, payload);
  }

  /** A gateway that has started anew knows nothing of this tap. */
  #onState(state: unknown): void {
    if (this.#state !== 'agreed') return;
    if (state === 'online') this.ask();
    else if (state === 'offline') this.#onAway('gateway', `${this.#gateway} is offline, says its broker`);
  }

  #onSilence(): void {
    this.#onAway('gateway', `${this.#gateway} has not answered for ${ANSWER_MS} ms`);
  }

  #onClose(): void {
    if (this.#state !== 'agreed') return;
    this.#cancel('answer'); // it is asked anew when the connection is back
    this.#onAway('broker', 'the connection to the broker is lost');
  }

  /** Once for each absence: mqtt.js reports every attempt that fails. */
  #onAway(who: 'broker' | 'gateway', what: string): void {
    if (this.#state !== 'agreed' || this.#away === who) return;
    this.#away = who;
    this.#options.err(`${what}: nothing is seen of ${this.#options.device} until it is back`);
  }

  get #gateway(): string {
    return `the gateway below ${this.#options.topics.base}`;
  }

  #onAnswer(payload: Buffer): void {
    const answer = jsonIn(payload);
    if (this.#state === 'leaving' || answer?.transaction !== this.#transaction) return;
    this.#cancel('answer');
    if (answer.status === 'ok') this.#onAgreed(answer.data);
    else this.#onRefused(String(answer.error));
  }

  #onAgreed(data: unknown): void {
    const { err, device, onAgreed } = this.#options;
    const isBack = this.#away !== undefined;
    this.#refusal = undefined;
    this.#away = undefined;
    if (isBack) err(`back: ${device} is seen again`);
    if (this.#state !== 'asking') return;
    this.#state = 'agreed';
    onAgreed(data);
  }

  #onRefused(sentence: string): void {
    const mayEnd = this.#options.onRefused === 'end' && this.#away === undefined;
    if (this.#state === 'asking' || mayEnd) {
      this.fail(sentence, EXIT.usage);
      return;
    }
    if (sentence !== this.#refusal) this.#options.err(`${sentence}; trying again`);
    this.#refusal = sentence;
    this.#after('renew', RETRY_MS, () => this.#renew());
  }

  #onNoAnswer(): void {
    const { client, url, topics } = this.#options;
    const sentence = client.connected ? noGateway(topics.base) : noBroker(url, this.#trouble);
    this.fail(sentence, EXIT.unreachable);
  }

  #after(name: string, ms: number, act: () => void): void {
    this.#cancel(name);
    this.#timers.set(name, this.#options.clock.after(ms, act));
  }

  #cancel(name: string): void {
    this.#timers.get(name)?.cancel();
    this.#timers.delete(name);
  }
}
