// Bytes as a device sends them that has its own mind about when to send: in pieces of odd sizes, some together, some apart.

import type { VirtualLine } from '../../src/hil/virtual-line.js';
import { seededRandom } from './seeded-random.js';

const MAX_PIECE = 37;
const MAX_PAUSE_MS = 12;

/** Sends `text` over the line in pieces that follow from `seed`; resolves when the last one has left. */
export async function sendOddly(line: VirtualLine, text: string, seed: number): Promise<void> {
  const random = seededRandom(seed);
  for (let at = 0; at < text.length; ) {
    const end = at + 1 + Math.floor(random() * MAX_PIECE);
    line.send(Buffer.from(text.slice(at, end), 'latin1'));
    at = end;
    if (random() < 0.5) await new Promise((resolve) => setTimeout(resolve, random() * MAX_PAUSE_MS));
  }
}
