// A scale on a packing table: somebody puts a parcel on it, takes it off, puts the next one on. Sends its reading five times a
// second, in the format that many industrial scales share, and takes commands, one a line:
//
//   ST,GS,+0012.34,kg     ST stable / US unstable, GS gross / NT net (a tare is set), weight, unit
//   tare  -> OK,TARE      what lies on the scale now counts as the package: readings become net
//   zero  -> OK,ZERO      what lies on the scale now counts as nothing, and the tare is gone
//   other -> ERR,UNKNOWN,<command>

import type { Clock } from '../core/clock.js';
import type { VirtualScript } from './virtual-device.js';

export interface ScaleOptions {
  readonly clock: Clock;
  /** ms from one reading to the next; default 200. */
  readonly everyMs?: number;
}

/** A parcel lies for the first part of this time, then the scale is empty until the next one, ms. */
const PARCEL_MS = 15_000;
const ON_SCALE_MS = 11_000;
/** How long a load swings after it was put on or taken off, ms. */
const SWING_MS = 1200;
const DIVISION = 0.02; // kg, the step of the display

/** The scale's script. */
export function makeScale({ clock, everyMs = 200 }: ScaleOptions): VirtualScript {
  const startedAt = clock.now();
  let parcel = -1;
  let parcelKg = 0;
  let zeroKg = 0;
  let tareKg = 0;
  let isNet = false;

  const load = (): { kg: number; isStable: boolean } => {
    const elapsed = clock.now() - startedAt;
    const at = elapsed % PARCEL_MS;
    if (Math.floor(elapsed / PARCEL_MS) !== parcel) {
      parcel = Math.floor(elapsed / PARCEL_MS);
      parcelKg = 2 + clock.random() * 20;
    }
    const isOn = at < ON_SCALE_MS;
    const sinceChange = isOn ? at : at - ON_SCALE_MS;
    const isStable = sinceChange >= SWING_MS;
    const swing = isStable ? 0 : Math.sin(sinceChange / 60) * 0.8 * (1 - sinceChange / SWING_MS);
    return { kg: toDivision((isOn ? parcelKg : 0) + swing), isStable };
  };

  const commands: Readonly<Record<string, () => string>> = {
    tare: () => {
      tareKg = load().kg - zeroKg;
      isNet = true;
      return 'OK,TARE\r\n';
    },
    zero: () => {
      zeroKg = load().kg;
      tareKg = 0;
      isNet = false;
      return 'OK,ZERO\r\n';
    },
  };

  return {
    everyMs,
    next: () => {
      const { kg, isStable } = load();
      return `${isStable ? 'ST' : 'US'},${isNet ? 'NT' : 'GS'},${shown(kg - zeroKg - tareKg)},kg\r\n`;
    },
    answer: (request) => {
      const name = request.trim().toLowerCase();
      const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
      return command?.() ?? `ERR,UNKNOWN,${request.trim().slice(0, 20)}\r\n`;
    },
  };
}

function toDivision(kg: number): number {
  return Math.round(kg / DIVISION) * DIVISION;
}

/** +0012.34; a weight that rounds to nothing is +0000.00, never -. */
function shown(kg: number): string {
  const text = Math.abs(kg).toFixed(2).padStart(7, '0');
  return `${kg < -DIVISION / 2 ? '-' : '+'}${text}`;
}
