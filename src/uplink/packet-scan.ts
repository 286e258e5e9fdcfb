// Finds where MQTT packets begin and end in a stream of bytes, from the fixed header alone (MQTT 5 section 2.1). The
// session stream needs it twice: to take our PUBACKs out of what comes in, and never to write between the halves of a
// packet of mqtt.js.

/** `more`: the header is not whole yet. `malformed`: no MQTT packet begins like this. Else the packet's length in bytes. */
export type PacketLength = number | 'more' | 'malformed';

const LENGTH_BYTES = 4;

/** Length of the packet that begins at `at`, fixed header included. */
export function packetLength(bytes: Uint8Array, at: number): PacketLength {
  let remaining = 0;
  for (let i = 0; i < LENGTH_BYTES; i++) {
    const byte = bytes[at + 1 + i];
    if (byte === undefined) return 'more';
    remaining += (byte & 0x7f) << (7 * i);
    if (byte < 0x80) return 2 + i + remaining;
  }
  return 'malformed';
}

/**
 * End of the last whole packet in `bytes`, which begin with a packet. Bytes that are no MQTT count as whole: they are
 * not ours to hold back.
 */
export function wholePackets(bytes: Uint8Array): number {
  let end = 0;
  while (end < bytes.length) {
    const length = packetLength(bytes, end);
    if (length === 'malformed') return bytes.length;
    if (length === 'more' || end + length > bytes.length) return end;
    end += length;
  }
  return end;
}
