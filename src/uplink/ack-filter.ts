// Takes the PUBACKs of our own packet ids out of the bytes that the broker sends, and lets everything else through, as
// slices of the same chunks. Bytes may be cut anywhere. Holds back at most the beginning of one packet: its header, or
// an unfinished PUBACK.
//
//   chunk: [ PUBACK 300 ][ PUBLISH ......][ PUBACK 7 ][ PUBACK 301 ][ PUBLI
//              `-> onAck  `---- pass ----' `- pass --'     `-> onAck  `- pass: the rest follows with the next chunks

import { MAX_INCOMING_PACKET } from './client-options.js';
import { FIRST_PUBLISH_ID } from './packet-ids.js';
import { type PacketLength, packetLength } from './packet-scan.js';

/** Where the parts of the incoming stream go. */
export interface AckFilterSink {
  /** Bytes for mqtt.js, in order. Lent, as those of `push`. */
  pass(bytes: Buffer): void;
  /** A PUBACK for a packet id of ours. MQTT 3.1.1 has no reason code: 0. */
  onAck(packetId: number, reasonCode: number): void;
  /** A packet of more than MAX_INCOMING_PACKET bytes begins: the connection has to be given up. */
  onOversized(bytes: number): void;
}

// Type PUBACK with the flags that the standard demands; an HTTP answer ("HT" = 0x48 ...) is none.
const PUBACK = 0x40;
// A PUBACK with a reason string and user properties; one that claims more than this is left to mqtt.js to judge.
const MAX_PUBACK_BYTES = 128 * 1024;
const NOTHING = Buffer.alloc(0);

/** One per connection. */
export class AckFilter {
  readonly #sink: AckFilterSink;
  #held: Buffer = NOTHING;
  /** Bytes of a packet that passes which are still to come. */
  #passing = 0;

  constructor(sink: AckFilterSink) {
    this.#sink = sink;
  }

  /** Takes the next bytes, which are only lent. Answers how many PUBACKs of ours were in them. */
  push(chunk: Buffer): number {
    const bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    this.#held = NOTHING;
    let acks = 0;
    let passFrom = 0;
    let at = this.#skipPassing(bytes);
    while (at < bytes.length) {
      const length = this.#lengthAt(bytes, at);
      if (length === 'malformed') {
        this.#passing = Number.POSITIVE_INFINITY;
        break;
      }
      const isAck = bytes[at] === PUBACK && (length === 'more' || length <= MAX_PUBACK_BYTES);
      const isHere = length !== 'more' && at + length <= bytes.length;
      if (length === 'more' || (isAck && !isHere)) {
        this.#hold(bytes, passFrom, at);
        return acks;
      }
      if (isAck && this.#take(bytes, at, length)) {
        this.#pass(bytes, passFrom, at);
        passFrom = at + length;
        acks++;
      }
      at += length;
      this.#passing = Math.max(0, at - bytes.length);
    }
    this.#pass(bytes, passFrom, bytes.length);
    return acks;
  }

  #lengthAt(bytes: Buffer, at: number): PacketLength {
    const length = packetLength(bytes, at);
    if (typeof length !== 'number' || length <= MAX_INCOMING_PACKET) return length;
    this.#sink.onOversized(length);
    return 'malformed'; // for us: there is no looking for what follows it
  }

  /** Answers where the next packet begins. */
  #skipPassing(bytes: Buffer): number {
    const skipped = Math.min(this.#passing, bytes.length);
    this.#passing -= skipped;
    return skipped;
  }

  #take(bytes: Buffer, at: number, length: number): boolean {
    const header = headerBytes(bytes, at);
    if (length < header + 2) return false;
    const id = bytes.readUInt16BE(at + header);
    if (id < FIRST_PUBLISH_ID) return false;
    this.#sink.onAck(id, length > header + 2 ? (bytes[at + header + 2] ?? 0) : 0);
    return true;
  }

  #pass(bytes: Buffer, from: number, to: number): void {
    if (to > from) this.#sink.pass(bytes.subarray(from, to));
  }

  #hold(bytes: Buffer, passFrom: number, at: number): void {
    this.#pass(bytes, passFrom, at);
    this.#held = Buffer.from(bytes.subarray(at));
  }
}

function headerBytes(bytes: Buffer, at: number): number {
  let end = at + 1;
  while ((bytes[end] ?? 0) >= 0x80) end++;
  return end + 1 - at;
}
