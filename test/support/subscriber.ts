// What a user's MQTT client sees of the gateway: mqtt.js on `<base>/#`, keeping every message per topic and in the order of
// arrival.

import mqtt, { type IClientOptions, type IPublishPacket, type MqttClient } from 'mqtt';
import { eventually, PATIENCE_MS } from './eventually.js';

/** One message as it arrived. */
export interface Received {
  readonly topic: string;
  readonly payload: Buffer;
  /** The broker had kept it: it was there before the subscription. */
  readonly retain: boolean;
  readonly qos: number;
  readonly responseTopic?: string | undefined;
  readonly correlation?: Buffer | undefined;
  /** User properties of MQTT 5. */
  readonly user?: Readonly<Record<string, string | string[]>> | undefined;
}

export interface SubscriberOptions {
  readonly port: number;
  /** Default `#`. */
  readonly filter?: string;
  readonly qos?: 0 | 1;
  readonly version?: 4 | 5;
  /** A session that the broker keeps under this name: the client comes back to it by itself. Default: none. */
  readonly session?: string;
}

/** Connects and subscribes; resolves when the broker has agreed. */
export async function subscribe(options: SubscriberOptions): Promise<Subscriber> {
  const { port, filter = '#', qos = 1, version = 5, session } = options;
  const kept: IClientOptions = session === undefined ? {} : { clientId: session, clean: false };
  const expiry = session !== undefined && version === 5 ? { properties: { sessionExpiryInterval: 3600 } } : {};
  const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${port}`, {
    protocolVersion: version,
    reconnectPeriod: session === undefined ? 0 : 50,
    ...kept,
    ...expiry,
  });
  const subscriber = new Subscriber(client);
  await client.subscribeAsync(filter, { qos });
  return subscriber;
}

export class Subscriber {
  /** Everything, in the order of arrival. */
  readonly all: Received[] = [];
  readonly client: MqttClient;
  readonly #byTopic = new Map<string, Received[]>();

  constructor(client: MqttClient) {
    this.client = client;
    client.on('error', () => {}); // the loss of a broker is part of the test
    client.on('message', (topic, payload, packet) => this.#keep(topic, payload, packet));
  }

  /** What came on one topic, in order. */
  on(topic: string): readonly Received[] {
    return this.#byTopic.get(topic) ?? [];
  }

  /** The same as text. */
  texts(topic: string): string[] {
    return this.on(topic).map(({ payload }) => payload.toString());
  }

  /** The last message of a topic, read as JSON; undefined without one. */
  last(topic: string): unknown {
    const payload = this.on(topic).at(-1)?.payload;
    return payload === undefined || payload.length === 0 ? undefined : JSON.parse(payload.toString());
  }

  /** Waits until `count` messages have come on a topic. */
  count(topic: string, count: number, withinMs = PATIENCE_MS): Promise<void> {
    return eventually(() => this.on(topic).length >= count, `${count} messages on ${topic}`, withinMs);
  }

  /** Waits until the last message on a topic is this JSON. */
  async says(topic: string, expected: unknown, withinMs = PATIENCE_MS): Promise<void> {
    const wanted = JSON.stringify(expected);
    await eventually(() => this.texts(topic).at(-1) === wanted, `${wanted} on ${topic}`, withinMs);
  }

  async close(): Promise<void> {
    await this.client.endAsync(true);
  }

  #keep(topic: string, payload: Buffer, packet: IPublishPacket): void {
    const { responseTopic, correlationData, userProperties } = packet.properties ?? {};
    const { retain, qos } = packet;
    const answer = { responseTopic, correlation: correlationData };
    const received: Received = { topic, payload, retain, qos, ...answer, user: userProperties };
    this.all.push(received);
    const list = this.#byTopic.get(topic);
    if (list) list.push(received);
    else this.#byTopic.set(topic, [received]);
  }
}
