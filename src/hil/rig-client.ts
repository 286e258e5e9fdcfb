// The rig's own MQTT client: sees everything below the base topic, publishes for the test, and asks the gateway through its
// bridge API. Topics on this side are relative to the base.

import { randomUUID } from 'node:crypto';
import net from 'node:net';
import mqtt, { type MqttClient } from 'mqtt';
import type { Clock } from '../core/clock.js';
import { RigError } from './rig-error.js';
import { Mailbox } from './rig-mailbox.js';
import { makeRigMessage, type RigMessage } from './rig-message.js';

const REQUEST = 'bridge/request/';
const RESPONSE = 'bridge/response/';
const REQUEST_MS = 5000;

/** How a message is published. */
export interface PublishOptions {
  /** Default 1. */
  readonly qos?: 0 | 1;
  readonly retain?: boolean;
}

/** Text and bytes as they are; anything else as JSON. */
export type Payload = string | Uint8Array | object;

export interface RigClientOptions {
  readonly url: string;
  readonly base: string;
  readonly clock: Clock;
  /** Told of every message that is not our own. */
  readonly onMessage: (message: RigMessage) => void;
  readonly onPublish: (topic: string, payload: Buffer) => void;
}

export class RigClient {
  readonly #client: MqttClient;
  readonly #options: RigClientOptions;
  readonly #answers: Mailbox;
  /** MQTT 3.1.1 has no way to say that one does not want to hear oneself. */
  readonly #echoes: { readonly topic: string; readonly payload: Buffer }[] = [];

  private constructor(client: MqttClient, options: RigClientOptions) {
    this.#client = client;
    this.#options = options;
    this.#answers = new Mailbox(options.clock);
  }

  /** Connects and subscribes to everything below the base. */
  static async connect(options: RigClientOptions): Promise<RigClient> {
    const connection = await mqtt.connectAsync(options.url, { protocolVersion: 4, reconnectPeriod: 0 });
    const client = new RigClient(connection, options);
    if (connection.stream instanceof net.Socket) connection.stream.setNoDelay(true); // else each command waits 40 ms
    connection.on('error', () => {}); // what is missed then shows in the test
    connection.on('message', (topic, payload, { retain }) => client.#onMessage(topic, payload, retain));
    await connection.subscribeAsync(`${options.base}/#`, { qos: 1 });
    return client;
  }

  /** Resolves when the broker has it. */
  async publish(topic: string, payload: Payload, { qos = 1, retain = false }: PublishOptions = {}): Promise<void> {
    const bytes = toBytes(payload);
    this.#options.onPublish(topic, bytes);
    this.#echoes.push({ topic, payload: bytes });
    await this.#client.publishAsync(`${this.#options.base}/${topic}`, bytes, { qos, retain });
  }

  /** `bridge/request/<path>`; answers the `data` of the response. Rejects with a RigError for an error answer, or none. */
  async request(path: string, body: object = {}): Promise<unknown> {
    const transaction = randomUUID();
    const isOurs = ({ json }: RigMessage): boolean => (json as Response | undefined)?.transaction === transaction;
    const waiting = this.#answers.next(RESPONSE + path, isOurs, REQUEST_MS);
    await this.publish(REQUEST + path, { ...body, transaction });
    const message = await waiting;
    if (typeof message === 'string') {
      throw new RigError('rig-request', `request ${path}: the gateway gave no answer (${message})`);
    }
    const response = message.json as Response; // an object, or `isOurs` would not have let it through
    if (response.status === 'ok') return response.data;
    throw new RigError('rig-request', `request ${path}: ${response.error}`);
  }

  /** Idempotent. */
  async close(): Promise<void> {
    this.#answers.close();
    await this.#client.endAsync(!this.#client.connected);
  }

  #onMessage(topic: string, payload: Buffer, retained: boolean): void {
    const relative = topic.slice(this.#options.base.length + 1);
    const echo = this.#echoes.findIndex((own) => own.topic === relative && own.payload.equals(payload));
    if (echo >= 0) {
      this.#echoes.splice(echo, 1);
      return;
    }
    const message = makeRigMessage(relative, payload, retained);
    if (relative.startsWith(RESPONSE)) this.#answers.take(message);
    this.#options.onMessage(message);
  }
}

interface Response {
  readonly status: string;
  readonly data?: unknown;
  readonly error?: string;
  readonly transaction?: unknown;
}

function toBytes(payload: Payload): Buffer {
  if (typeof payload === 'string' || payload instanceof Uint8Array) return Buffer.from(payload);
  return Buffer.from(JSON.stringify(payload));
}
