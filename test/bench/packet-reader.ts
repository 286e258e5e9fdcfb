// Cuts an MQTT byte stream into packets, without copying what arrived whole: made for counting at several hundred thousand a
// second, so no object per packet, and no topic is ever turned into a string here.
//
//   | type, flags | remaining length (1 to 4 bytes) | body ... |

const PUBLISH = 3;
const NO_BYTES: Buffer = Buffer.alloc(0);
const CONTINUES = 0x80;

/** Called per packet: its first byte, and where its body lies in `bytes`. The bytes are only lent. */
export type PacketHandler = (head: number, bytes: Buffer, from: number, to: number) => void;

export class PacketReader {
  readonly #onPacket: PacketHandler;
  #rest = NO_BYTES;

  constructor(onPacket: PacketHandler) {
    this.#onPacket = onPacket;
  }

  /** Takes what came. */
  take(chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    for (let end = packetEnd(bytes, at); end <= bytes.length; end = packetEnd(bytes, at)) {
      this.#onPacket(bytes[at] as number, bytes, bodyStart(bytes, at), end); // inside the buffer: end > at
      at = end;
    }
    this.#rest = at === bytes.length ? NO_BYTES : bytes.subarray(at);
  }
}

/** What a PUBLISH says of itself, read from its body. */
export interface PublishBounds {
  qos: number;
  packetId: number;
  payloadAt: number;
}

/** Packet type of a first byte. */
export function typeOf(head: number): number {
  return head >> 4;
}

/** Whether it is a PUBLISH. */
export function isPublish(head: number): boolean {
  return typeOf(head) === PUBLISH;
}

/** Reads a PUBLISH into `bounds`, which is the caller's to reuse. */
export function readPublish(head: number, bytes: Buffer, from: number, version: number, bounds: PublishBounds): void {
  let at = from + 2 + bytes.readUInt16BE(from);
  bounds.qos = (head >> 1) & 3;
  bounds.packetId = 0;
  if (bounds.qos > 0) {
    bounds.packetId = bytes.readUInt16BE(at);
    at += 2;
  }
  if (version === 5) at = afterVarint(bytes, at) + varintAt(bytes, at);
  bounds.payloadAt = at;
}

/** Where the packet at `at` ends; Infinity while that cannot be known. */
function packetEnd(bytes: Buffer, at: number): number {
  const body = bodyStart(bytes, at);
  return body > bytes.length ? Number.POSITIVE_INFINITY : body + varintAt(bytes, at + 1);
}

/** Where its body begins; behind the end of the bytes when the length is not there yet. */
function bodyStart(bytes: Buffer, at: number): number {
  return afterVarint(bytes, at + 1);
}

function afterVarint(bytes: Buffer, at: number): number {
  let end = at;
  while (((bytes[end] ?? CONTINUES) & CONTINUES) !== 0 && end < bytes.length) end += 1;
  return end + 1;
}

function varintAt(bytes: Buffer, at: number): number {
  let [value, factor] = [0, 1];
  for (let place = at; ; place += 1) {
    const byte = bytes[place] ?? 0;
    value += (byte & 0x7f) * factor;
    if ((byte & CONTINUES) === 0) return value;
    factor *= 128;
  }
}
