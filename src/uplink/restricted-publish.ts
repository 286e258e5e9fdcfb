// PUBLISH packets for brokers that take less than MQTT offers: no QoS 1, or no retained messages (MQTT 5 sections 3.2.2.3.4
// and 3.2.2.3.5). Such a broker ends the session at the first packet it does not take, so packed packets are rewritten on
// their way out. Few brokers are like this: the rewriting costs a copy, and only there.
//
//   [ 33 | length | topic | id | rest ]  --noQos1, noRetain-->  [ 30 | length - 2 | topic | rest ]   id -> acknowledged by us

import { packetLength } from './packet-scan.js';

/** What a broker does not take. */
export interface PublishRestrictions {
  readonly noQos1: boolean;
  readonly noRetain: boolean;
}

/** Packets as the broker takes them. */
export interface RestrictedPackets {
  readonly packets: Buffer;
  /** Ids of the messages that go without one now: nobody will acknowledge them. */
  readonly ids: readonly number[];
}

const QOS_BITS = 0x06;
const RETAIN_BIT = 0x01;
const DUP_BIT = 0x08;

/** Rewrites whole PUBLISH packets into a buffer of its own. */
export function restrictPublishes(packets: Buffer, { noQos1, noRetain }: PublishRestrictions): RestrictedPackets {
  const out = Buffer.allocUnsafe(packets.length); // nothing gets longer
  const ids: number[] = [];
  let end = 0;
  for (let at = 0; at < packets.length; ) {
    const length = packetLength(packets, at);
    if (typeof length === 'string') break; // only whole packets are written here
    const packet = packets.subarray(at, at + length);
    const first = packet[0] ?? 0;
    const flags = noRetain ? first & ~RETAIN_BIT : first;
    const id = noQos1 && (first & QOS_BITS) !== 0 ? idPlace(packet) : undefined;
    if (id === undefined) {
      packet.copy(out, end);
      out[end] = flags;
      end += length;
    } else {
      ids.push(packet.readUInt16BE(id));
      end = writeWithoutId(out, end, flags & ~(QOS_BITS | DUP_BIT), packet, id);
    }
    at += length;
  }
  return { packets: out.subarray(0, end), ids };
}

/** Where the packet id stands: behind the header and the topic. */
function idPlace(packet: Buffer): number {
  const topic = headerBytes(packet);
  return topic + 2 + packet.readUInt16BE(topic);
}

function headerBytes(packet: Buffer): number {
  let end = 1;
  while ((packet[end] ?? 0) >= 0x80) end++;
  return end + 1;
}

function writeWithoutId(out: Buffer, from: number, flags: number, packet: Buffer, id: number): number {
  const header = headerBytes(packet);
  let rest = packet.length - header - 2;
  let at = from;
  out[at++] = flags;
  for (; rest > 0x7f; rest >>>= 7) out[at++] = (rest & 0x7f) | 0x80;
  out[at++] = rest;
  at += packet.copy(out, at, header, id);
  return at + packet.copy(out, at, id + 2);
}
