// A small sensor that reports the humidity as a line of text, once a second, and takes no commands.

import type { Clock } from '../core/clock.js';
import type { VirtualScript } from './virtual-device.js';

export interface HygrometerOptions {
  readonly clock: Clock;
  /** ms from one reading to the next; default 1000. */
  readonly everyMs?: number;
}

/** The sensor's script. */
export function makeHygrometer({ clock, everyMs = 1000 }: HygrometerOptions): VirtualScript {
  const startedAt = clock.now();
  const next = (): string => {
    const percent = 45 + Math.sin((clock.now() - startedAt) / 30_000) * 8 + (clock.random() - 0.5) * 0.4;
    return `humidity ${percent.toFixed(1)} %\n`;
  };
  return { everyMs, next };
}
