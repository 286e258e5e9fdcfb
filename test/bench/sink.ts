// The subscriber of the bench, in a process of its own: MQTT read by hand, every line checked on its way past. It is also who
// sends the commands of a round trip.

import { once } from 'node:events';
import net from 'node:net';
import { generate, type Packet } from 'mqtt-packet';
import { LineCheck } from './line-check.js';
import { isPublish, PacketReader, type PublishBounds, readPublish, typeOf } from './packet-reader.js';
import { serveRole } from './role-host.js';
import { monotonicUs, PAYLOAD_BYTES, stampedLine } from './stamped-line.js';

/** MQTT 3.1.1: nothing of version 5 is needed, and it is a byte shorter. */
const VERSION = 4;
const SUBACK = 9;
/** What the gateway says of itself is JSON, an object or a list, or empty where it clears a topic; a line begins with a digit. */
const STATES: readonly (number | undefined)[] = [0x7b, 0x5b];
/** Longest wait for the answer to a command. */
const ANSWER_LIMIT_MS = 2000;

interface RoundTrips {
  readonly topic: string;
  readonly count: number;
  /** Pause after each. */
  readonly everyMs: number;
  /** Number of the first command. */
  readonly first: number;
  readonly withinMs?: number;
}

const check = new LineCheck();
const bounds: PublishBounds = { qos: 0, packetId: 0, payloadAt: 0 };
const reader = new PacketReader(onPacket);
let socket: net.Socket | undefined;
let nowUs = 0;
let isSubscribed = (): void => {};
let onLine = (_sentUs: number, _receivedUs: number): void => {};

function onPacket(head: number, bytes: Buffer, from: number, to: number): void {
  if (typeOf(head) === SUBACK) isSubscribed();
  if (!isPublish(head)) return;
  readPublish(head, bytes, from, VERSION, bounds);
  if (bounds.payloadAt === to || STATES.includes(bytes[bounds.payloadAt])) return;
  const sentUs = check.take(bytes, bounds.payloadAt, to - bounds.payloadAt, nowUs);
  if (sentUs !== 'damaged') onLine(sentUs, nowUs);
}

async function connect({ port, filter }: { readonly port: number; readonly filter: string }): Promise<void> {
  socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
  socket.on('data', (chunk) => {
    nowUs = monotonicUs();
    reader.take(chunk);
  });
  await once(socket, 'connect');
  socket.on('error', () => {}); // the broker is stopped at the end
  send({ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clean: true, clientId: 'bench-sink', keepalive: 0 });
  const subscribed = new Promise<void>((resolve) => (isSubscribed = resolve));
  send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: filter, qos: 0 }] });
  await subscribed;
}

function send(packet: Packet): void {
  socket?.write(generate(packet));
}

/** When the first line arrived that was written at `us` or later, us. */
function firstSince({ us, withinMs }: { readonly us: number; readonly withinMs: number }): Promise<number> {
  return new Promise((resolve, reject) => {
    const fail = (): void => reject(new Error(`no line in ${withinMs} ms`));
    const timer = setTimeout(fail, withinMs);
    onLine = (sentUs, receivedUs) => {
      if (sentUs < us) return;
      clearTimeout(timer);
      onLine = () => {};
      resolve(receivedUs);
    };
  });
}

/** Commands that a device sends back, one after the other: the latency of the lines is that of the round trip. */
async function roundTrips(given: RoundTrips): Promise<number> {
  let unanswered = 0;
  for (let n = 0; n < given.count; n += 1) {
    const sentUs = monotonicUs();
    const answer = firstSince({ us: sentUs, withinMs: given.withinMs ?? ANSWER_LIMIT_MS });
    const payload = stampedLine(0, given.first + n, sentUs).subarray(0, PAYLOAD_BYTES);
    send({ cmd: 'publish', topic: given.topic, payload, qos: 0, dup: false, retain: false });
    await answer.catch(() => (unanswered += 1));
    await new Promise((resolve) => setTimeout(resolve, given.everyMs));
  }
  return unanswered;
}

const handlers = {
  connect,
  firstSince,
  roundTrips,
  received: () => check.received,
  restartLatency: () => check.restartLatency(),
  figures: (sent: ReadonlyMap<number, number>) => check.figures(sent),
};

export type Sink = typeof handlers;

serveRole(handlers);
