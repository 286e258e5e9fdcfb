// Batches of readings from plain strings.

import type { ReadingBatch } from '../../src/device/message.js';

/** One batch with a reading for each text, side by side in one buffer. */
export function textBatch(texts: readonly string[]): ReadingBatch {
  const parts = texts.map((text) => Buffer.from(text));
  const bounds: number[] = [];
  let at = 0;
  for (const part of parts) {
    bounds.push(at, at + part.length);
    at += part.length;
  }
  return { bytes: Buffer.concat(parts), bounds };
}
