// How long a command may still be sent: by the time that its sender has named, and by the time to live that he gave it.

import type { Clock } from '../core/clock.js';
import type { Command } from '../device/message.js';

/** ms; negative: its time is over since then; Infinity: it has all the time there is. */
export function timeLeft(
  { notAfter = Number.POSITIVE_INFINITY, expiresAt = Number.POSITIVE_INFINITY }: Command,
  clock: Clock,
): number {
  return Math.min(notAfter - clock.wall(), expiresAt - clock.now());
}
