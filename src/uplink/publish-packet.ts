// MQTT PUBLISH packets, packed by hand (MQTT 3.1.1 section 3.3, MQTT 5 section 3.3). All that does not change from one
// message to the next is made once per route and copied; per message only the length, the packet id and the payload are
// new. Nothing is allocated per message.
//
//   [ type+flags ][ remaining length 1..4 ][ topic: length 2 + bytes ][ id 2, QoS 1 ][ properties, MQTT 5 ][ payload ]
//                                            `------ header.topic ---'                `- header.properties -'

import type { Qos, ReadingBatch } from '../device/message.js';
import { type PacketBuffer, viewOf } from './packet-buffer.js';
import { publishIdAfter } from './packet-ids.js';

/** The MQTT version as it stands in CONNECT: 4 is MQTT 3.1.1. */
export type ProtocolVersion = 4 | 5;

/** Properties of a PUBLISH, sent with MQTT 5 only. */
export interface PublishProperties {
  /** Seconds after which the broker must not deliver the message any more. */
  readonly messageExpirySeconds?: number;
  readonly contentType?: string;
  /** Topic alias, 1 to the maximum that the broker announced; valid for one connection. */
  readonly topicAlias?: number;
  readonly responseTopic?: string;
  readonly correlation?: Buffer;
  readonly user?: readonly (readonly [name: string, value: string])[];
}

/** Where messages go, and how. Make one per topic and keep it: it remembers its packed header. */
export interface PublishRoute {
  readonly topic: string;
  readonly qos: Qos;
  readonly retain: boolean;
  readonly properties?: PublishProperties;
}

/** The packed parts of a route that are the same in each of its messages. */
export interface PublishHeader {
  readonly flags: number;
  readonly topic: DataView;
  readonly properties: DataView;
  readonly hasId: boolean;
  /** Bytes of the remaining length besides the payload. */
  readonly fixedBytes: number;
}

const PUBLISH = 0x30;
/** Largest remaining length that MQTT can express. */
const MAX_REMAINING = 268_435_455;
// Up to here a loop over words (2 bytes per ns) is quicker than Uint8Array.set with the two views that it needs (70 ns).
const SMALL_COPY = 128;
const WORD = 4;
// The byte order of the machines that this runs on: the other one would turn each word round twice.
const LITTLE = true;

const ID_OF = { expiry: 0x02, contentType: 0x03, responseTopic: 0x08, correlation: 0x09, alias: 0x23, user: 0x26 };
const NOTHING = Buffer.alloc(0);
/** Longest text that MQTT can express, bytes. */
const MAX_TEXT = 65_535;
/** For a topic that is longer: an answer to a request can get one, as `response` is longer than `request`. */
const UNSENDABLE: PublishHeader = {
  flags: PUBLISH,
  topic: viewOf(NOTHING),
  properties: viewOf(NOTHING),
  hasId: false,
  fixedBytes: Number.POSITIVE_INFINITY,
};

/** Packs what the messages of a route share. Keep it as long as route and version stay the same. */
export function makePublishHeader(version: ProtocolVersion, route: PublishRoute): PublishHeader {
  if (Buffer.byteLength(route.topic) > MAX_TEXT) return UNSENDABLE;
  const topic = text(route.topic);
  const properties = version === 5 ? packProperties(route.properties ?? {}) : NOTHING;
  const hasId = route.qos > 0;
  return {
    flags: PUBLISH | (route.qos << 1) | (route.retain ? 1 : 0),
    topic: viewOf(topic),
    properties: viewOf(properties),
    hasId,
    fixedBytes: topic.length + properties.length + (hasId ? 2 : 0),
  };
}

/** Bytes of a whole packet with a payload of `payloadBytes`. Infinity if MQTT cannot carry it. */
export function packetSize(header: PublishHeader, payloadBytes: number): number {
  const remaining = header.fixedBytes + payloadBytes;
  return remaining > MAX_REMAINING ? Number.POSITIVE_INFINITY : 1 + varIntBytes(remaining) + remaining;
}

/** The longest payload in a packet of at most `packetBytes`; negative if there is none. */
export function largestPayload(header: PublishHeader, packetBytes: number): number {
  let remaining = Math.min(MAX_REMAINING, packetBytes - 2);
  while (1 + varIntBytes(remaining) + remaining > packetBytes) remaining--;
  return remaining - header.fixedBytes;
}

/** What bounds a run of messages into one buffer. */
export interface PackLimits {
  /** The run ends before the message that would bring the buffer beyond this length, bytes; an empty buffer takes any. */
  readonly bufferBytes: number;
  /** The run ends before a message with a longer payload: the broker would refuse it. See `largestPayload`. */
  readonly payloadBytes: number;
}

/**
 * Packs readings `from` to `to` (excluded) of a batch behind what is in `out`; at QoS 1 their ids follow each other from
 * `firstId`. Answers the index of the first reading that was not packed.
 */
export function packReadings(
  out: PacketBuffer,
  header: PublishHeader,
  { bytes, bounds }: ReadingBatch,
  from: number,
  to: number,
  firstId: number,
  limits: PackLimits,
): number {
  const payloads = viewOf(bytes);
  let index = from;
  for (; index < to; index++) {
    const start = bounds[2 * index] ?? 0;
    const end = bounds[2 * index + 1] ?? start;
    if (end - start > limits.payloadBytes || !out.takes(packetSize(header, end - start), limits.bufferBytes)) break;
    packOne(out, header, payloads, start, end, header.hasId ? publishIdAfter(firstId, index - from) : 0);
  }
  return index;
}

/** Packs one message, `payload[start, end)`, for which `out` has room. `id` is used at QoS 1 only. */
function packOne(
  out: PacketBuffer,
  header: PublishHeader,
  payload: DataView,
  start: number,
  end: number,
  id: number,
): void {
  const { view } = out;
  let at = out.length;
  view.setUint8(at++, header.flags);
  at = writeVarInt(view, at, header.fixedBytes + end - start);
  at = copy(view, at, header.topic, 0, header.topic.byteLength);
  if (header.hasId) {
    view.setUint16(at, id);
    at += 2;
  }
  at = copy(view, at, header.properties, 0, header.properties.byteLength);
  out.length = copy(view, at, payload, start, end);
}

/** Copies `source[start, end)` to `at` and answers where it ends. Messages are short: in words this takes a third of the time. */
function copy(target: DataView, at: number, source: DataView, start: number, end: number): number {
  const length = end - start;
  if (length > SMALL_COPY) copyMuch(target, at, source, start, length);
  else if (length < WORD) for (let i = 0; i < length; i++) target.setUint8(at + i, source.getUint8(start + i));
  else {
    const last = length - WORD; // the last word overlaps the one before it, instead of a loop over the bytes that are left
    for (let i = 0; i < last; i += WORD) target.setInt32(at + i, source.getInt32(start + i, LITTLE), LITTLE);
    target.setInt32(at + last, source.getInt32(start + last, LITTLE), LITTLE);
  }
  return at + length;
}

function copyMuch(target: DataView, at: number, source: DataView, start: number, length: number): void {
  const from = new Uint8Array(source.buffer, source.byteOffset + start, length);
  new Uint8Array(target.buffer, target.byteOffset + at, length).set(from);
}

function writeVarInt(target: DataView, at: number, value: number): number {
  let rest = value;
  while (rest > 0x7f) {
    target.setUint8(at++, (rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  target.setUint8(at++, rest);
  return at;
}

function varIntBytes(value: number): number {
  if (value < 128) return 1;
  if (value < 16_384) return 2;
  return value < 2_097_152 ? 3 : 4;
}

function packProperties(properties: PublishProperties): Buffer {
  const { messageExpirySeconds, contentType, topicAlias, responseTopic, correlation, user = [] } = properties;
  const parts: Buffer[] = [];
  if (messageExpirySeconds !== undefined) parts.push(number(ID_OF.expiry, messageExpirySeconds, 4));
  if (contentType !== undefined) parts.push(Buffer.of(ID_OF.contentType), text(contentType));
  if (topicAlias !== undefined) parts.push(number(ID_OF.alias, topicAlias, 2));
  if (responseTopic !== undefined) parts.push(Buffer.of(ID_OF.responseTopic), text(responseTopic));
  if (correlation !== undefined) parts.push(Buffer.of(ID_OF.correlation), prefixed(correlation));
  for (const [name, value] of user) parts.push(Buffer.of(ID_OF.user), text(name), text(value));
  const body = Buffer.concat(parts);
  const length = Buffer.alloc(varIntBytes(body.length));
  writeVarInt(viewOf(length), 0, body.length);
  return Buffer.concat([length, body]);
}

function number(id: number, value: number, width: 2 | 4): Buffer {
  const packed = Buffer.alloc(1 + width);
  packed[0] = id;
  packed.writeUIntBE(value, 1, width);
  return packed;
}

function text(value: string): Buffer {
  return prefixed(Buffer.from(value, 'utf8'));
}

/** A two-byte length and the bytes. Throws a RangeError beyond 65535 bytes: callers bound names and properties. */
function prefixed(bytes: Buffer): Buffer {
  const packed = Buffer.alloc(2 + bytes.length);
  packed.writeUInt16BE(bytes.length, 0);
  bytes.copy(packed, 2);
  return packed;
}
