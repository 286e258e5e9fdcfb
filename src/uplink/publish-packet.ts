// MQTT PUBLISH packets, packed by hand (MQTT 3.1.1 section 3.3, MQTT 5 section 3.3). All that does not change from one
// message to the next is made once per route and copied; per message only the length, the packet id and the payload are
// new. Nothing is allocated per message.
//
//   [ type+flags ][ remaining length 1..4 ][ topic: length 2 + bytes ][ id 2, QoS 1 ][ properties, MQTT 5 ][ payload ]
//                                            `------ header.topic ---'                `- header.properties -'

import type { Qos, ReadingBatch } from '../device/message.js';
import type { PacketBuffer } from './packet-buffer.js';
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
  readonly topic: Buffer;
  readonly properties: Buffer;
  readonly hasId: boolean;
  /** Bytes of the remaining length besides the payload. */
  readonly fixedBytes: number;
}

const PUBLISH = 0x30;
/** Largest remaining length that MQTT can express. */
const MAX_REMAINING = 268_435_455;
// Below this many bytes a plain loop beats Buffer.copy, which makes a view of the source first.
const SMALL_COPY = 128;

const ID_OF = { expiry: 0x02, contentType: 0x03, responseTopic: 0x08, correlation: 0x09, alias: 0x23, user: 0x26 };
const NOTHING = Buffer.alloc(0);
/** Longest text that MQTT can express, bytes. */
const MAX_TEXT = 65_535;
/** For a topic that is longer: an answer to a request can get one, as `response` is longer than `request`. */
const UNSENDABLE: PublishHeader = {
  flags: PUBLISH,
  topic: NOTHING,
  properties: NOTHING,
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
    topic,
    properties,
    hasId,
    fixedBytes: topic.length + properties.length + (hasId ? 2 : 0),
  };
}

/** Bytes of a whole packet with a payload of `payloadBytes`. Infinity if MQTT cannot carry it. */
export function packetSize(header: PublishHeader, payloadBytes: number): number {
  const remaining = header.fixedBytes + payloadBytes;
  return remaining > MAX_REMAINING ? Number.POSITIVE_INFINITY : 1 + varIntBytes(remaining) + remaining;
}

/** What bounds a run of messages into one buffer. */
export interface PackLimits {
  /** The run ends with the message that brings the buffer to this length, bytes. */
  readonly bufferBytes: number;
  /** The run ends before a message whose packet is larger: the broker would refuse it. */
  readonly packetBytes: number;
}

/**
 * Packs readings `from` to `to` (excluded) of a batch behind what is in `out`; at QoS 1 their ids follow each other from
 * `firstId`. Answers the index of the first reading that was not packed.
 */
export function packReadings(
  out: PacketBuffer,
  header: PublishHeader,
  batch: ReadingBatch,
  from: number,
  to: number,
  firstId: number,
  limits: PackLimits,
): number {
  const { bytes, bounds } = batch;
  let index = from;
  while (index < to && out.length < limits.bufferBytes) {
    const start = bounds[2 * index] ?? 0;
    const end = bounds[2 * index + 1] ?? start;
    const size = packetSize(header, end - start);
    if (size > limits.packetBytes || size === Number.POSITIVE_INFINITY) break;
    packOne(out, header, bytes, start, end, header.hasId ? publishIdAfter(firstId, index - from) : 0);
    index++;
  }
  return index;
}

/** Packs one message, `payload[start, end)`. `id` is used at QoS 1 only. */
export function packOne(
  out: PacketBuffer,
  header: PublishHeader,
  payload: Uint8Array,
  start: number,
  end: number,
  id: number,
): void {
  const remaining = header.fixedBytes + end - start;
  out.reserve(remaining + 5);
  const { bytes } = out;
  let at = out.length;
  bytes[at++] = header.flags;
  at = writeVarInt(bytes, at, remaining);
  at = copy(bytes, at, header.topic, 0, header.topic.length);
  if (header.hasId) {
    bytes[at++] = id >>> 8;
    bytes[at++] = id & 0xff;
  }
  at = copy(bytes, at, header.properties, 0, header.properties.length);
  out.length = copy(bytes, at, payload, start, end);
}

function copy(target: Buffer, at: number, source: Uint8Array, start: number, end: number): number {
  const length = end - start;
  if (length > SMALL_COPY) {
    target.set(source.subarray(start, end), at);
    return at + length;
  }
  for (let i = 0; i < length; i++) target[at + i] = source[start + i] as number; // within bounds by construction
  return at + length;
}

function writeVarInt(target: Uint8Array, at: number, value: number): number {
  let rest = value;
  while (rest > 0x7f) {
    target[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  target[at++] = rest;
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
  writeVarInt(length, 0, body.length);
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
