// A short visit to a running gateway, over its MQTT API: connect, ask, listen, leave. Every wait ends: with an answer, or with
// a CommandTrouble that says what to do.

import { randomUUID } from 'node:crypto';
import mqtt, { type IClientOptions, type IClientPublishOptions, type IPublishPacket, type MqttClient } from 'mqtt';
import type { Config } from '../config/schema.js';
import type { Clock, Timer } from '../core/clock.js';
import { FerruleError, messageOf } from '../core/errors.js';
import { makeTopics, type Topics } from '../uplink/topics.js';
import { brokerAccess, noBroker, noGateway, wordsOf } from './broker-access.js';
import { EXIT } from './exit-codes.js';

/** Ends a command: a sentence for people, and the exit code. */
export class CommandTrouble extends FerruleError {
  readonly exitCode: number;

  constructor(sentence: string, exitCode: number = EXIT.unreachable) {
    super('command-trouble', sentence);
    this.exitCode = exitCode;
  }
}

export interface VisitOptions {
  readonly config: Config;
  /** The command, part of the client id. */
  readonly who: string;
  readonly clock: Clock;
  /** Longest time for the connection, and for each answer. */
  readonly waitMs: number;
}

/** A message on a topic that is listened to. */
export interface Heard {
  readonly payload: Buffer;
  /** MQTT 5. */
  readonly correlation: Buffer | undefined;
}

type Listener = (heard: Heard) => void;

export class GatewayClient {
  readonly topics: Topics;
  /** 5: answers may be sent to a topic of our choice. */
  readonly version: number;
  readonly #client: MqttClient;
  readonly #options: VisitOptions;
  readonly #listeners = new Map<string, Set<Listener>>();
  /** Those who wait for something, to be told that it will not come. */
  readonly #waiting = new Set<(trouble: CommandTrouble) => void>();
  #state: 'unknown' | 'online' | 'offline' = 'unknown';

  private constructor(client: MqttClient, options: VisitOptions) {
    this.#client = client;
    this.#options = options;
    this.topics = makeTopics(options.config.mqtt.base_topic);
    this.version = client.options.protocolVersion ?? 4;
    client.on('message', (topic, payload, packet) => this.#onMessage(topic, payload, packet));
    client.on('error', () => {}); // 'close' comes too
    client.on('close', () => this.#giveUp(new CommandTrouble('the connection to the broker was lost: try again')));
  }

  /** Visits the gateway of a config. `work` may throw a CommandTrouble; whatever happens, the connection is closed. */
  static async visit<Result>(options: VisitOptions, work: (client: GatewayClient) => Promise<Result>): Promise<Result> {
    const client = await GatewayClient.#connect(options);
    try {
      await client.listen(client.topics.bridge.state, ({ payload }) => client.#onState(payload));
      return await work(client);
    } finally {
      await client.#leave();
    }
  }

  static async #connect(options: VisitOptions): Promise<GatewayClient> {
    const access = brokerAccess(options.config.mqtt, options.who);
    if (!access.ok) throw new CommandTrouble(access.sentence, EXIT.config);
    // One attempt: who types a command wants to hear what is wrong, not to wait.
    const once = { ...access.options, reconnectPeriod: 0, connectTimeout: options.waitMs };
    const client = openClient(access.url, once);
    let trouble = 'it does not answer';
    const end = await new Promise<'connect' | 'close'>((resolve) => {
      client.once('connect', () => resolve('connect'));
      client.on('error', (error) => (trouble = wordsOf(error)));
      client.once('close', () => resolve('close'));
    });
    if (end === 'connect') return new GatewayClient(client, options);
    client.end(true);
    throw new CommandTrouble(noBroker(access.url, trouble));
  }

  /** Calls `listener` with every message on a topic from now on. Rejects with a CommandTrouble if the broker refuses. */
  async listen(topic: string, listener: Listener): Promise<void> {
    const listeners = this.#listeners.get(topic);
    if (listeners !== undefined) {
      listeners.add(listener);
      return;
    }
    this.#listeners.set(topic, new Set([listener]));
    await this.#within((resolve, reject) => {
      this.#client.subscribe(topic, { qos: 1 }, (error) => {
        if (error) reject(new CommandTrouble(`the broker does not let us subscribe to ${topic}: ${wordsOf(error)}`));
        else resolve(undefined);
      });
    });
  }

  /** Resolves when the broker has the message. */
  publish(topic: string, payload: string | Buffer, properties?: IClientPublishOptions['properties']): Promise<void> {
    return this.#within((resolve, reject) => {
      this.#client.publish(topic, payload, { qos: 1, ...(properties && { properties }) }, (error) => {
        if (error) reject(new CommandTrouble(`the broker refuses to take ${topic}: ${wordsOf(error)}`));
        else resolve(undefined);
      });
    });
  }

  /** The `data` of the answer to a request; rejects with the gateway's own sentence where it refuses. */
  async request(path: string, body: object = {}): Promise<unknown> {
    const transaction = randomUUID();
    const answered = this.#within<unknown>((resolve, reject) => {
      const onAnswer = ({ payload }: Heard): void => {
        const answer = jsonIn(payload);
        if (answer?.transaction !== transaction) return;
        if (answer.status === 'ok') resolve(answer.data);
        else reject(new CommandTrouble(String(answer.error)));
      };
      this.listen(this.topics.bridge.response(path), onAnswer)
        .then(() => this.publish(this.topics.bridge.request(path), JSON.stringify({ ...body, transaction })))
        .catch(reject);
    });
    return answered;
  }

  /** Runs `work` until it says that it is done, rejects, the gateway is known to be gone, or the time is up: `late` says so. */
  within<Result>(work: (done: (result: Result) => void) => Promise<void>, late: () => CommandTrouble): Promise<Result> {
    return this.#within((resolve, reject) => void work(resolve).catch(reject), late);
  }

  #within<Result>(
    work: (resolve: (result: Result) => void, reject: (error: unknown) => void) => void,
    late: () => CommandTrouble = () => this.#silence(),
  ): Promise<Result> {
    return new Promise((resolve, reject) => {
      let timer: Timer | undefined;
      const end = (act: () => void): void => {
        timer?.cancel();
        this.#waiting.delete(giveUp);
        act();
      };
      const giveUp = (trouble: CommandTrouble): void => end(() => reject(trouble));
      this.#waiting.add(giveUp);
      timer = this.#options.clock.after(this.#options.waitMs, () => giveUp(late()));
      work(
        (result) => end(() => resolve(result)),
        (error) => end(() => reject(error)),
      );
    });
  }

  /** Nobody has answered in time. */
  #silence(): CommandTrouble {
    const { base } = this.topics;
    if (this.#state === 'unknown') return new CommandTrouble(noGateway(base));
    return new CommandTrouble(
      `the gateway below ${base} is online, and has not answered within ${this.#options.waitMs} ms: look at its log`,
    );
  }

  #onState(payload: Buffer): void {
    const state = jsonIn(payload)?.state;
    if (state === 'online') this.#state = 'online';
    if (state !== 'offline') return;
    this.#state = 'offline';
    this.#giveUp(
      new CommandTrouble(
        `the gateway below ${this.topics.base} is offline, says its broker: start it with \`ferrule run\``,
      ),
    );
  }

  #giveUp(trouble: CommandTrouble): void {
    for (const tell of [...this.#waiting]) tell(trouble);
  }

  #onMessage(topic: string, payload: Buffer, { properties }: IPublishPacket): void {
    const heard = { payload, correlation: properties?.correlationData };
    for (const listener of this.#listeners.get(topic) ?? []) listener(heard);
  }

  #leave(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.clear();
      this.#client.removeAllListeners('message');
      this.#client.end(true, () => resolve());
    });
  }
}

/** A client that connects. Throws a CommandTrouble where it cannot even begin, as with a damaged certificate. */
export function openClient(url: string, options: IClientOptions): MqttClient {
  try {
    return mqtt.connect(url, options);
  } catch (error) {
    throw new CommandTrouble(noBroker(url, `mqtt.cert, mqtt.key or mqtt.ca cannot be used: ${messageOf(error)}`));
  }
}

/** The keys of a JSON object; undefined for anything else. */
export function jsonIn(payload: Buffer): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(payload.toString('utf8'));
    return typeof value === 'object' && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}
