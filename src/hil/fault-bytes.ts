// What faults do to bytes, as pure functions: `fault-line.ts` applies them.

/** A copy in which each byte has become another one with probability `rate` (0 to 1), as noise on a line does it. */
export function garbled(bytes: Uint8Array, rate: number, random: () => number): Buffer {
  const copy = Buffer.from(bytes);
  for (let i = 0; i < copy.length; i += 1) {
    if (random() < rate) copy[i] = (copy[i] ?? 0) ^ (1 + Math.floor(random() * 255)); // never ^ 0: another byte
  }
  return copy;
}

/** The same bytes in pieces of `size`, the last one shorter. `size` 0: in one piece. */
export function piecesOf(bytes: Buffer, size: number): Buffer[] {
  if (size <= 0 || bytes.length <= size) return bytes.length === 0 ? [] : [bytes];
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.subarray(at, at + size));
  return pieces;
}

/** `length` bytes of an endless repetition of `pattern`, beginning at its byte `from`. */
export function repeated(pattern: Buffer, from: number, length: number): Buffer {
  const start = from % pattern.length;
  return Buffer.alloc(start + length, pattern).subarray(start);
}
