// A Session on top of mqtt.js. mqtt.js keeps the session (CONNECT, subscriptions, keepalive, last will, incoming messages);
// it never reconnects and never queues. Readings do not pass through it: they are written as packed bytes to the stream
// that both share (session-stream.ts). Made by `open-session.ts`.

import type { Duplex } from 'node:stream';
import type { IClientOptions, IConnackPacket, IDisconnectPacket, IPublishPacket, MqttClient } from 'mqtt';
import { messageOf } from '../core/errors.js';
import type { IncomingMessage } from './incoming-message.js';
import { SessionIds } from './packet-ids.js';
import type { ProtocolVersion } from './publish-packet.js';
import type {
  RefusedFilter,
  Session,
  SessionHooks,
  SessionLimits,
  SessionLoss,
  SessionOptions,
  SubscribeResult,
} from './session.js';
import { refusalOf, SessionError, sessionErrorOf } from './session-error.js';
import { SessionStream } from './session-stream.js';

const ANSWER_TIMEOUT_MS = 10_000;
const END_TIMEOUT_MS = 2000;
// Brokers limit the filters of one packet: AWS IoT to 8, others by packet size.
const FILTERS_PER_PACKET = 8;
const TAKEN_OVER = 0x8e;
const FILTER_INVALID = 0x8f;
// openSession bounds the wait for CONNACK; this one is only there because mqtt.js always has one.
const MQTT_JS_CONNECT_TIMEOUT_MS = 120_000;

type Greeting = { readonly resolve: () => void; readonly reject: (error: Error) => void };

/** See `Session`. Not open before `greeted` has resolved. */
export class MqttSession implements Session {
  readonly protocolVersion: ProtocolVersion;
  limits: SessionLimits = limitsOf({});
  isLost = false;
  readonly #broker: string;
  readonly #options: SessionOptions;
  readonly #hooks: SessionHooks;
  readonly #stream: SessionStream;
  readonly #client: MqttClient;
  readonly #reasonCodes: Readonly<Record<number, string>>;
  readonly #closed: Promise<void>;
  #greeting: Greeting | undefined;
  #isGreeted = false;
  /** The first thing that went wrong, or our own wish to close. */
  #loss: SessionLoss | undefined;
  #refusal: SessionError | undefined;

  constructor(
    Client: typeof MqttClient,
    reasonCodes: Readonly<Record<number, string>>,
    socket: Duplex,
    options: SessionOptions,
    hooks: SessionHooks,
  ) {
    this.protocolVersion = options.version;
    this.#broker = new URL(options.url).host;
    this.#options = options;
    this.#hooks = hooks;
    this.#reasonCodes = reasonCodes;
    this.#stream = new SessionStream(socket, {
      onAck: (packetId, reasonCode) => hooks.onAck(packetId, reasonCode),
      onAcksRead: () => this.#onAcksRead(),
      onDrain: () => hooks.onDrain(),
    });
    this.#closed = new Promise((resolve) => this.#stream.once('close', resolve));
    this.#stream.once('error', (error) => this.#fail(error));
    this.#stream.once('close', () => this.#onClose());
    this.#client = new Client(() => this.#stream, clientOptions(options));
    this.#listen();
  }

  get maximumPacketSize(): number {
    return this.limits.maximumPacketSize;
  }

  get buffered(): number {
    const isOver = this.isLost || this.#loss !== undefined;
    return isOver ? Number.POSITIVE_INFINITY : this.#stream.buffered;
  }

  writePackets(packets: Buffer, done: () => void): void {
    this.#stream.writePackets(packets, done);
  }

  /** Resolves with the CONNACK, rejects with a SessionError where the broker says no or the connection ends. */
  greeted(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.#refusal = new SessionError('aborted', `broker ${this.#broker}: connecting was given up`);
        this.#stream.destroy();
      };
      const settle = (act: () => void): void => {
        this.#greeting = undefined;
        signal.removeEventListener('abort', onAbort);
        act();
      };
      this.#greeting = { resolve: () => settle(resolve), reject: (error) => settle(() => reject(error)) };
      signal.addEventListener('abort', onAbort);
      if (signal.aborted) onAbort();
    });
  }

  async subscribe(filters: readonly string[]): Promise<SubscribeResult> {
    const refused: RefusedFilter[] = [];
    for (let i = 0; i < filters.length; i += FILTERS_PER_PACKET) {
      const some = filters.slice(i, i + FILTERS_PER_PACKET);
      const codes = await this.#answer<readonly number[]>((done) => this.#sendSubscribe(some, done));
      if (codes === 'lost') return 'lost';
      refused.push(...this.#refusedOf(some, codes));
    }
    return refused;
  }

  async unsubscribe(filters: readonly string[]): Promise<'done' | 'lost'> {
    for (let i = 0; i < filters.length; i += FILTERS_PER_PACKET) {
      const some = filters.slice(i, i + FILTERS_PER_PACKET);
      const answer = await this.#answer<true>((done) => this.#sendUnsubscribe(some, done));
      if (answer === 'lost') return 'lost';
    }
    return 'done';
  }

  async end(maxMs = END_TIMEOUT_MS): Promise<void> {
    if (!this.isLost && this.#loss === undefined) {
      this.#loss = { trouble: 'closed', detail: 'closed by Ferrule' };
      this.#client.end();
    }
    const timer = this.#options.clock.after(maxMs, () => this.#stream.destroy());
    await this.#closed;
    timer.cancel();
  }

  destroy(): void {
    this.#loss ??= { trouble: 'closed', detail: 'closed by Ferrule' };
    this.#stream.destroy();
  }

  #listen(): void {
    const client = this.#client;
    client.on('connect', (packet) => this.#onConnect(packet));
    client.on('disconnect', (packet) => this.#onDisconnect(packet));
    // Stays to the end: an `error` event without a listener would end the process.
    client.on('error', (error) => this.#fail(error));
    client.on('message', (topic, payload, packet) => this.#hooks.onMessage(incoming(topic, payload, packet)));
  }

  #onConnect(packet: IConnackPacket): void {
    this.limits = limitsOf(packet);
    this.#isGreeted = true;
    this.#greeting?.resolve();
  }

  /** Our acknowledgements are a sign of life that mqtt.js does not see: it may put off its next ping. */
  #onAcksRead(): void {
    this.#client.reschedulePing();
    this.#hooks.onAcksRead();
  }

  #onDisconnect(packet: IDisconnectPacket): void {
    const code = packet.reasonCode ?? 0;
    const name = this.#reasonCodes[code] || 'no reason given';
    this.#loss ??=
      code === TAKEN_OVER
        ? { trouble: 'taken-over', detail: `another client connected with our client id "${this.#options.clientId}"` }
        : { trouble: 'server-disconnect', detail: `the broker closed the session: ${name} (code ${code})` };
    this.#stream.destroy();
  }

  /** Anything that mqtt.js or the socket calls an error ends the session; the first one is the reason. */
  #fail(error: Error & { code?: unknown }): void {
    if (!this.#isGreeted) this.#refusal ??= this.#refusalFrom(error);
    this.#loss ??= lossFrom(error);
    this.#stream.destroy();
  }

  #refusalFrom(error: Error & { code?: unknown }): SessionError {
    const { code } = error;
    if (typeof code === 'number') return refusalOf(code, this.#reasonCodes[code] ?? '', this.#broker);
    if (typeof code === 'string') return sessionErrorOf(error, this.#broker);
    const words = `what answered is not an MQTT broker (${messageOf(error)}); is it the right port, and mqtt:// or mqtts://?`;
    return new SessionError('not-mqtt', `broker ${this.#broker}: ${words}`, { cause: error });
  }

  #onClose(): void {
    this.isLost = true;
    const loss = this.#loss ?? { trouble: 'connection-lost', detail: this.#closedWithoutReason() };
    if (this.#isGreeted) this.#hooks.onLost(loss);
    else this.#greeting?.reject(this.#refusal ?? this.#closedEarly());
  }

  // MQTT 3.1.1 gives no reasons, and mosquitto 2.0.11 gives none with MQTT 5 either when a session is taken over.
  #closedWithoutReason(): string {
    const twin = `a second client with our id "${this.#options.clientId}" is one cause`;
    return `the broker closed the connection and gave no reason; ${twin}`;
  }

  #closedEarly(): SessionError {
    const words =
      'it closed the connection instead of answering; does this port expect TLS (mqtts://) or not (mqtt://)?';
    return new SessionError('closed', `broker ${this.#broker}: ${words}`);
  }

  #sendSubscribe(filters: string[], done: (codes: readonly number[]) => void): void {
    // `rap`: a command published with the retain flag shows it also when it comes live (MQTT 5).
    const options = this.protocolVersion === 5 ? { qos: 1 as const, rap: true } : { qos: 1 as const };
    this.#client.subscribe(filters, options, (_error, _grants, packet) => {
      if (packet) done(packet.granted.map(Number));
      // mqtt.js sends no malformed filter; after a loss it calls back too, but then `lost` is the answer.
      else if (this.#loss === undefined && !this.isLost) done(filters.map(() => FILTER_INVALID));
    });
  }

  #sendUnsubscribe(filters: string[], done: (answer: true) => void): void {
    this.#client.unsubscribe(filters, (error) => {
      if (!error) done(true);
    });
  }

  #refusedOf(filters: readonly string[], codes: readonly number[]): RefusedFilter[] {
    const refused: RefusedFilter[] = [];
    for (const [index, filter] of filters.entries()) {
      const code = codes[index] ?? 128;
      if (code >= 128) refused.push({ filter, reason: `${this.#reasonCodes[code] ?? 'refused'} (code ${code})` });
    }
    return refused;
  }

  /** Waits for the broker's answer to what `ask` sends: it comes, the session is lost, or time runs out and it is lost. */
  #answer<Answer>(ask: (done: (answer: Answer) => void) => void): Promise<Answer | 'lost'> {
    if (this.isLost || this.#loss !== undefined) return Promise.resolve('lost');
    return new Promise((resolve) => {
      const timer = this.#options.clock.after(ANSWER_TIMEOUT_MS, () => {
        this.#loss ??= { trouble: 'protocol-error', detail: 'the broker did not answer a subscription within 10 s' };
        this.#stream.destroy();
      });
      const settle = (answer: Answer | 'lost'): void => {
        timer.cancel();
        this.#stream.off('close', onClose);
        resolve(answer);
      };
      const onClose = (): void => settle('lost');
      this.#stream.once('close', onClose);
      ask(settle);
    });
  }
}

function clientOptions(options: SessionOptions): IClientOptions {
  const { username, password, will } = options;
  return {
    protocolVersion: options.version,
    clientId: options.clientId,
    clean: true,
    keepalive: options.keepaliveSeconds,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(will === undefined ? {} : { will: { topic: will.topic, payload: will.payload, retain: will.retain, qos: 1 } }),
    messageIdProvider: new SessionIds(),
    reconnectPeriod: 0,
    resubscribe: false,
    queueQoSZero: false,
    connectTimeout: MQTT_JS_CONNECT_TIMEOUT_MS,
  };
}

function limitsOf(packet: Partial<IConnackPacket>): SessionLimits {
  const { receiveMaximum, maximumPacketSize, topicAliasMaximum } = packet.properties ?? {};
  return {
    receiveMaximum: receiveMaximum ?? 65_535,
    maximumPacketSize: maximumPacketSize ?? Number.POSITIVE_INFINITY,
    topicAliasMaximum: topicAliasMaximum ?? 0,
    sessionPresent: packet.sessionPresent ?? false,
  };
}

function lossFrom(error: Error & { code?: unknown }): SessionLoss {
  const words = messageOf(error);
  if (words === 'Keepalive timeout')
    return { trouble: 'keepalive', detail: 'the broker did not answer a ping in time' };
  if (typeof error.code === 'string') return { trouble: 'connection-lost', detail: `the connection broke: ${words}` };
  return { trouble: 'protocol-error', detail: `the broker broke the protocol: ${words}` };
}

function incoming(topic: string, payload: Buffer, packet: IPublishPacket): IncomingMessage {
  const { responseTopic, correlationData, messageExpiryInterval } = packet.properties ?? {};
  return {
    topic,
    payload,
    retain: packet.retain,
    qos: packet.qos,
    dup: packet.dup,
    ...(responseTopic === undefined ? {} : { responseTopic }),
    ...(correlationData === undefined ? {} : { correlation: correlationData }),
    ...(messageExpiryInterval === undefined ? {} : { expirySeconds: messageExpiryInterval }),
  };
}
