// A thermometer with a display, as a microcontroller sketch would be it: prints one JSON object per line, twice a second.
// {"unit":"F"} switches to Fahrenheit, {"unit":"C"} back.

import type { Clock } from '../core/clock.js';
import type { VirtualScript } from './virtual-device.js';

export interface ThermometerOptions {
  readonly clock: Clock;
  /** °C around which the temperature wanders; default 21. */
  readonly around?: number;
  /** °C by which readings scatter to either side; default 0.1. */
  readonly noise?: number;
  /** ms from one reading to the next; default 500. */
  readonly everyMs?: number;
}

/** The thermometer's script. */
export function makeThermometer(options: ThermometerOptions): VirtualScript {
  const { clock, around = 21, noise = 0.1, everyMs = 500 } = options;
  const startedAt = clock.now();
  let unit: 'C' | 'F' = 'C';
  const next = (): string => {
    const celsius = around + Math.sin((clock.now() - startedAt) / 20_000) * 3 + (clock.random() - 0.5) * 2 * noise;
    const temperature = unit === 'C' ? celsius : celsius * 1.8 + 32;
    return `${JSON.stringify({ temperature: Number(temperature.toFixed(2)), unit })}\n`;
  };
  const answer = (request: string): string | undefined => {
    const wanted = /^\{\s*"unit"\s*:\s*"([CF])"\s*\}$/.exec(request)?.[1];
    if (wanted === undefined) return undefined; // a sketch that does not understand says nothing
    unit = wanted === 'C' ? 'C' : 'F';
    return next();
  };
  return { everyMs, next, answer };
}
