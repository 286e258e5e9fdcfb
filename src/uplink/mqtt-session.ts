// A Session on top of mqtt.js. mqtt.js keeps the session (CONNECT, subscriptions, keepalive, last will, incoming messages);
// it never reconnects and never queues. Readings do not pass through it: they are written as packed bytes to the stream
// that both share (session-stream.ts). Made by `open-session.ts`.

import type { Duplex } from 'node:stream';
import type { IConnackPacket, IDisconnectPacket, MqttClient } from 'mqtt';
import { messageOf } from '../core/errors.js';
import { clientOptions } from './client-options.js';
import { type Greeting, NO_GREETING, readGreeting } from './connack.js';
import { incomingMessage } from './incoming-packet.js';
import type { ProtocolVersion } from './publish-packet.js';
import { restrictPublishes } from './restricted-publish.js';
import type {
  RefusedFilter,
  Session,
  SessionHooks,
  SessionLimits,
  SessionLoss,
  SessionOptions,
  SubscribeResult,
} from './session.js';
import { codeWords, isRedirect, redirectWords, refusalOf, SessionError, sessionErrorOf } from './session-error.js';
import { SessionStream } from './session-stream.js';

const ANSWER_TIMEOUT_MS = 10_000;
const END_TIMEOUT_MS = 2000;
const REST_MS = 1;
/** How often the next ping is put off at most: it costs a timer each time. Well below half of the shortest keepalive. */
const PUT_OFF_MS = 200;
// Brokers limit the filters of one packet: AWS IoT to 8, others by packet size.
const FILTERS_PER_PACKET = 8;
/** So that hundreds of devices on a slow link take some round trips rather than hundreds; few enough to be answered in time. */
const SUBSCRIBES_AT_ONCE = 16;
const TAKEN_OVER = 0x8e;
const FILTER_INVALID = 0x8f;
const NO_WILDCARDS = 0xa2;

type GreetingWait = { readonly resolve: () => void; readonly reject: (error: Error) => void };

/** See `Session`. Not open before `greeted` has resolved. */
export class MqttSession implements Session {
  readonly protocolVersion: ProtocolVersion;
  isLost = false;
  readonly #broker: string;
  readonly #options: SessionOptions;
  readonly #hooks: SessionHooks;
  readonly #stream: SessionStream;
  readonly #client: MqttClient;
  readonly #reasonCodes: Readonly<Record<number, string>>;
  readonly #closed: Promise<void>;
  /** Those who wait for an answer of the broker: told when there will be none. */
  readonly #unanswered = new Set<() => void>();
  #greeting: Greeting = NO_GREETING;
  #greetingWait: GreetingWait | undefined;
  #isGreeted = false;
  #pingPutOffAt = Number.NEGATIVE_INFINITY;
  /** The first thing that went wrong, or our own wish to close. */
  #loss: SessionLoss | undefined;
  #refusal: SessionError | undefined;
  #connack: IConnackPacket | undefined;

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

  get limits(): SessionLimits {
    return this.#greeting.limits;
  }

  get notes(): readonly string[] {
    return this.#greeting.notes;
  }

  get maximumPacketSize(): number {
    return this.limits.maximumPacketSize;
  }

  get buffered(): number {
    const isOver = this.isLost || this.#loss !== undefined;
    return isOver ? Number.POSITIVE_INFINITY : this.#stream.buffered;
  }

  writePackets(packets: Buffer, done: () => void): void {
    const { restrictions } = this.#greeting;
    if (restrictions === undefined) {
      this.#stream.writePackets(packets, done);
      return;
    }
    const restricted = restrictPublishes(packets, restrictions);
    this.#stream.writePackets(restricted.packets, (error) => {
      done();
      // Not at once: this may be called from within the write, when it has not been noted yet what was written.
      if (!error) queueMicrotask(() => this.#acknowledge(restricted.ids));
    });
  }

  /** Resolves with the CONNACK, rejects with a SessionError where the broker says no or the connection ends. */
  greeted(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.#refusal = new SessionError('aborted', `broker ${this.#broker}: connecting was given up`);
        this.#stream.destroy();
      };
      const settle = (act: () => void): void => {
        this.#greetingWait = undefined;
        signal.removeEventListener('abort', onAbort);
        act();
      };
      this.#greetingWait = { resolve: () => settle(resolve), reject: (error) => settle(() => reject(error)) };
      signal.addEventListener('abort', onAbort);
      if (signal.aborted) onAbort();
    });
  }

  async subscribe(filters: readonly string[]): Promise<SubscribeResult> {
    const refused: RefusedFilter[] = [];
    const taken = this.#greeting.takesWildcards ? filters : filters.filter((filter) => !/[+#]/.test(filter));
    for (const packets of chunksOf(chunksOf(taken, FILTERS_PER_PACKET), SUBSCRIBES_AT_ONCE)) {
      const answers = await Promise.all(packets.map((some) => this.#subscribeTo(some)));
      for (const answer of answers) {
        if (answer === 'lost') return 'lost';
        refused.push(...answer);
      }
    }
    const impossible = filters.filter((filter) => !taken.includes(filter));
    refused.push(...this.#refusedOf(impossible, new Array(impossible.length).fill(NO_WILDCARDS)));
    return refused;
  }

  async unsubscribe(filters: readonly string[]): Promise<'done' | 'lost'> {
    for (const some of chunksOf(filters, FILTERS_PER_PACKET)) {
      const answer = await this.#answer<true>((done) => this.#sendUnsubscribe(some, done));
      if (answer === 'lost') return 'lost';
    }
    return 'done';
  }

  rest(): void {
    this.#stream.rest();
    this.#options.clock.after(REST_MS, () => this.#stream.goOn());
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
    client.on('packetreceive', (packet) => {
      if (packet.cmd === 'connack') this.#connack = packet; // mqtt.js gives only the code of one that says no
    });
    client.on('connect', (packet) => this.#onConnect(packet));
    client.on('disconnect', (packet) => this.#onDisconnect(packet));
    // Stays to the end: an `error` event without a listener would end the process.
    client.on('error', (error) => this.#fail(error));
    client.on('message', (topic, payload, packet) => this.#hooks.onMessage(incomingMessage(topic, payload, packet)));
  }

  #onConnect(packet: IConnackPacket): void {
    this.#greeting = readGreeting(packet, this.#options);
    this.#isGreeted = true;
    this.#greetingWait?.resolve();
  }

  #onAcksRead(): void {
    this.#putOffPing();
    this.#hooks.onAcksRead();
  }

  /** Our acknowledgements are a sign of life that mqtt.js does not see. */
  #putOffPing(): void {
    const now = this.#options.clock.now();
    if (now - this.#pingPutOffAt < PUT_OFF_MS) return;
    this.#pingPutOffAt = now;
    this.#client.reschedulePing();
  }

  #onDisconnect(packet: IDisconnectPacket): void {
    this.#loss ??= this.#lossOf(packet);
    this.#stream.destroy();
  }

  #lossOf({ reasonCode: code = 0, properties }: IDisconnectPacket): SessionLoss {
    const { reasonString: text, serverReference: server } = properties ?? {};
    const reason = { code, text, server };
    if (isRedirect(code)) return { trouble: 'redirected', detail: redirectWords(reason) };
    if (code === TAKEN_OVER) {
      const detail = `another client connected with our client id "${this.#options.clientId}"`;
      return { trouble: 'taken-over', detail };
    }
    const name = this.#reasonCodes[code] || 'no reason given';
    return { trouble: 'server-disconnect', detail: `the broker closed the session: ${name} ${codeWords(reason)}` };
  }

  /** Anything that mqtt.js or the socket calls an error ends the session; the first one is the reason. */
  #fail(error: Error & { code?: unknown }): void {
    if (!this.#isGreeted) this.#refusal ??= this.#refusalFrom(error);
    this.#loss ??= lossFrom(error);
    this.#stream.destroy();
  }

  #refusalFrom(error: Error & { code?: unknown }): SessionError {
    const { code } = error;
    if (typeof code === 'number' && this.#connack !== undefined) {
      const { reasonString: text, serverReference: server } = this.#connack.properties ?? {};
      return refusalOf({ code, name: this.#reasonCodes[code], text, server }, this.#broker);
    }
    if (typeof code === 'string') return sessionErrorOf(error, this.#broker);
    const words = `what answered is not an MQTT broker (${messageOf(error)}); is it the right port, and mqtt:// or mqtts://?`;
    return new SessionError('not-mqtt', `broker ${this.#broker}: ${words}`, { cause: error });
  }

  #onClose(): void {
    this.isLost = true;
    for (const tellLost of [...this.#unanswered]) tellLost();
    const loss = this.#loss ?? { trouble: 'closed-silently', detail: this.#closedWithoutReason() };
    if (this.#isGreeted) this.#hooks.onLost(loss);
    else this.#greetingWait?.reject(this.#refusal ?? this.#closedEarly());
  }

  // MQTT 3.1.1 gives no reasons, and mosquitto 2.0.11 gives none with MQTT 5 either when a session is taken over.
  #closedWithoutReason(): string {
    const twin = `a second client with our id "${this.#options.clientId}" is one cause`;
    const topic = 'a topic that it does not take another (NATS takes none with "." or spaces)';
    return `the broker closed the connection and gave no reason; ${twin}, ${topic}`;
  }

  #closedEarly(): SessionError {
    const tls = 'does this port expect TLS (mqtts://) or not (mqtt://)?';
    const isOddTopic = /[. ]/.test(this.#options.will?.topic ?? '');
    const topic = isOddTopic ? ' NATS also does so where mqtt.base_topic has "." or spaces' : '';
    const words = `it closed the connection instead of answering; ${tls}${topic}`;
    return new SessionError('closed', `broker ${this.#broker}: ${words}`);
  }

  /** For a broker that acknowledges nothing: what is written counts as arrived. */
  #acknowledge(ids: readonly number[]): void {
    if (this.isLost || this.#loss !== undefined) return;
    for (const id of ids) this.#hooks.onAck(id, 0);
    if (ids.length > 0) this.#hooks.onAcksRead();
  }

  async #subscribeTo(filters: string[]): Promise<SubscribeResult> {
    const codes = await this.#answer<readonly number[]>((done) => this.#sendSubscribe(filters, done));
    return codes === 'lost' ? 'lost' : this.#refusedOf(filters, codes);
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
        this.#unanswered.delete(onClose);
        resolve(answer);
      };
      const onClose = (): void => settle('lost');
      this.#unanswered.add(onClose);
      ask(settle);
    });
  }
}

function chunksOf<T>(items: readonly T[], size: number): T[][] {
  const chunks: T[][] = [];
  for (let from = 0; from < items.length; from += size) chunks.push(items.slice(from, from + size));
  return chunks;
}

function lossFrom(error: Error & { code?: unknown }): SessionLoss {
  const words = messageOf(error);
  if (words === 'Keepalive timeout')
    return { trouble: 'keepalive', detail: 'the broker did not answer a ping in time' };
  if (typeof error.code === 'string') return { trouble: 'connection-lost', detail: `the connection broke: ${words}` };
  return { trouble: 'protocol-error', detail: `the broker broke the protocol: ${words}` };
}
