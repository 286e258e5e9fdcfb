// A broker that only counts, in a process of its own: takes CONNECT, SUBSCRIBE and PUBLISH, acknowledges QoS 1, checks every line,
// and passes nothing on. With it the system under test is what is measured, not mosquitto.

import { once } from 'node:events';
import net from 'node:net';
import { generate, type Packet } from 'mqtt-packet';
import { LineCheck } from './line-check.js';
import { PacketReader, type PublishBounds, readPublish, typeOf } from './packet-reader.js';
import { serveRole } from './role-host.js';
import { monotonicUs } from './stamped-line.js';

const [CONNECT, PUBLISH, SUBSCRIBE, UNSUBSCRIBE, PINGREQ] = [1, 3, 8, 10, 12];
const [PUBACK_HEAD, PUBACK_BODY_BYTES] = [0x40, 2];
/** CONNECT: length and letters of `MQTT`, then the version. */
const VERSION_AT = 6;
/** What the gateway says of itself is JSON, an object or a list; a line begins with a digit. */
const STATES: readonly (number | undefined)[] = [0x7b, 0x5b];
/** As mosquitto offers. */
const TOPIC_ALIASES = 10;

const check = new LineCheck();

/** One client. */
class CountedClient {
  readonly #socket: net.Socket;
  readonly #bounds: PublishBounds = { qos: 0, packetId: 0, payloadAt: 0 };
  readonly #reader = new PacketReader((head, bytes, from, to) => this.#onPacket(head, bytes, from, to));
  #version = 4;
  #acks: number[] = [];
  #nowUs = 0;

  constructor(socket: net.Socket) {
    this.#socket = socket;
    socket.on('error', () => {}); // clients are killed
    socket.on('data', (chunk) => this.#take(chunk));
  }

  #take(chunk: Buffer): void {
    this.#nowUs = monotonicUs();
    this.#reader.take(chunk);
    if (this.#acks.length > 0) this.#socket.write(pubacks(this.#acks));
    this.#acks = [];
  }

  #onPacket(head: number, bytes: Buffer, from: number, to: number): void {
    switch (typeOf(head)) {
      case PUBLISH:
        this.#onPublish(head, bytes, from, to);
        return;
      case CONNECT:
        this.#version = bytes[from + VERSION_AT] ?? 4;
        this.#send({
          ...{ cmd: 'connack', sessionPresent: false, returnCode: 0, reasonCode: 0 },
          properties: { topicAliasMaximum: TOPIC_ALIASES },
        });
        return;
      case SUBSCRIBE:
        this.#send({ cmd: 'suback', messageId: bytes.readUInt16BE(from), granted: this.#grants(bytes, from, to) });
        return;
      case UNSUBSCRIBE:
        this.#send({ cmd: 'unsuback', messageId: bytes.readUInt16BE(from), granted: [0] });
        return;
      case PINGREQ:
        this.#send({ cmd: 'pingresp' });
    }
  }

  #onPublish(head: number, bytes: Buffer, from: number, to: number): void {
    readPublish(head, bytes, from, this.#version, this.#bounds);
    const { qos, packetId, payloadAt } = this.#bounds;
    if (qos === 1) this.#acks.push(packetId);
    if (payloadAt < to && !STATES.includes(bytes[payloadAt])) check.take(bytes, payloadAt, to - payloadAt, this.#nowUs);
  }

  /** One grant per filter of a SUBSCRIBE. */
  #grants(bytes: Buffer, from: number, to: number): number[] {
    const grants: number[] = [];
    let at = from + 2;
    if (this.#version === 5) at += 1 + (bytes[at] ?? 0); // properties of under 128 bytes
    for (; at + 2 < to; at += 3 + bytes.readUInt16BE(at)) grants.push(1);
    return grants;
  }

  #send(packet: Packet): void {
    this.#socket.write(generate(packet, { protocolVersion: this.#version }));
  }
}

function pubacks(ids: readonly number[]): Buffer {
  const bytes = Buffer.allocUnsafe(ids.length * 4);
  for (const [n, id] of ids.entries()) {
    bytes[n * 4] = PUBACK_HEAD;
    bytes[n * 4 + 1] = PUBACK_BODY_BYTES;
    bytes.writeUInt16BE(id, n * 4 + 2);
  }
  return bytes;
}

async function listen(): Promise<number> {
  const server = net.createServer({ noDelay: true }, (socket) => void new CountedClient(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as net.AddressInfo).port; // an address, as it listens on a port
}

const handlers = {
  listen,
  received: () => check.received,
  restartLatency: () => check.restartLatency(),
  figures: (sent: ReadonlyMap<number, number>) => check.figures(sent),
};

export type CountingBroker = typeof handlers;

serveRole(handlers);
