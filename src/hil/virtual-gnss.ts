// A GNSS receiver on a boat that goes round in a circle, or along a track: NMEA 0183 sentences of a real receiver, with right
// checksums, once a second. All of a second's sentences together stay below what 4800 baud carries (480 characters).

import type { Clock } from '../core/clock.js';
import type { VirtualScript } from './virtual-device.js';
import { circle, type Movements, type Position, track } from './virtual-track.js';

export interface GnssOptions {
  readonly clock: Clock;
  /** Points along which it goes, and from the last one back to the first; at least two. Instead of a circle. */
  readonly track?: readonly Position[] | undefined;
  /** Fixes in a second, 1 to 10; default 1. More than 1 is too much for 4800 baud. */
  readonly rate?: number;
  /** Centre of the circle, degrees. Default: on Lake Zurich. */
  readonly centre?: Position | undefined;
  /** m; default 300. */
  readonly radius?: number;
  /** Over ground, m/s; default 4. */
  readonly speed?: number;
}

const LAKE: Position = { lat: 47.305, lon: 8.565 };
const KNOT = 1852 / 3600; // m/s
/** Numbers, elevation and azimuth of the satellites in view; the first SATELLITES_USED are in the solution. */
const SKY: readonly (readonly [number, number, number])[] = [
  [2, 67, 304],
  [5, 45, 112],
  [7, 12, 45],
  [9, 33, 201],
  [13, 58, 87],
  [15, 21, 160],
  [20, 40, 250],
  [24, 9, 330],
];
const SATELLITES_USED = 7;
const PER_PAGE = 4;

/** The receiver's script: GGA, RMC, GSA, GSV and VTG for the moment at which it is asked. */
export function makeGnss(options: GnssOptions): VirtualScript {
  const { clock, centre = LAKE, radius = 300, speed = 4, rate = 1 } = options;
  const startedAt = clock.now();
  const movements = options.track ? track(options.track, speed) : circle(centre, radius, speed);
  return {
    everyMs: 1000 / rate,
    next: () => sentencesAt({ clock, movements, speed }, (clock.now() - startedAt) / 1000),
  };
}

/** `GPGGA,...` as it goes over the line: `$GPGGA,...*CS\r\n`. The checksum is the XOR of all between `$` and `*`. */
export function nmeaSentence(body: string): string {
  let xor = 0;
  for (let i = 0; i < body.length; i += 1) xor ^= body.charCodeAt(i);
  return `$${body}*${xor.toString(16).toUpperCase().padStart(2, '0')}\r\n`;
}

interface Boat {
  readonly clock: Clock;
  readonly movements: Movements;
  readonly speed: number;
}

function sentencesAt({ clock, movements, speed }: Boat, s: number): string {
  const { lat, lon, course } = movements(s);
  const place = `${coordinate(lat, 2, 'NS')},${coordinate(lon, 3, 'EW')}`;
  const altitude = (406 + Math.sin(s / 7) * 0.4).toFixed(1);
  const knots = (speed / KNOT).toFixed(1);
  const { time, date } = utc(clock.wall());
  const used = SKY.slice(0, SATELLITES_USED).map(([id]) => String(id).padStart(2, '0'));
  const bodies = [
    `GPGGA,${time},${place},1,${String(SATELLITES_USED).padStart(2, '0')},0.9,${altitude},M,48.0,M,,`,
    `GPRMC,${time},A,${place},${knots},${course.toFixed(1)},${date},,,A`,
    `GPGSA,A,3,${Array.from({ length: 12 }, (_, i) => used[i] ?? '').join(',')},1.6,0.9,1.3`,
    ...satellitePages(clock),
    `GPVTG,${course.toFixed(1)},T,,M,${knots},N,${(speed * 3.6).toFixed(1)},K,A`,
  ];
  return bodies.map(nmeaSentence).join('');
}

function satellitePages(clock: Clock): string[] {
  const pages = Math.ceil(SKY.length / PER_PAGE);
  return Array.from({ length: pages }, (_, page) => {
    const satellites = SKY.slice(page * PER_PAGE, (page + 1) * PER_PAGE).map(([id, elevation, azimuth]) => {
      const signal = 28 + Math.round(elevation / 5 + clock.random() * 3); // dB-Hz
      return [digits(id, 2), digits(elevation, 2), digits(azimuth, 3), digits(signal, 2)].join(',');
    });
    return `GPGSV,${pages},${page + 1},${digits(SKY.length, 2)},${satellites.join(',')}`;
  });
}

/** Degrees as NMEA writes them: 47.305 -> `4718.3000,N`; `width` digits of whole degrees. */
function coordinate(degrees: number, width: number, sides: 'NS' | 'EW'): string {
  const tenThousandths = Math.round(Math.abs(degrees) * 60 * 10_000); // of a minute; rounded once, so never 60.0000
  const whole = Math.floor(tenThousandths / 600_000);
  const minutes = ((tenThousandths % 600_000) / 10_000).toFixed(4).padStart(7, '0');
  return `${digits(whole, width)}${minutes},${degrees < 0 ? sides[1] : sides[0]}`;
}

/** hhmmss.ss and ddmmyy. */
function utc(wallMs: number): { time: string; date: string } {
  const iso = new Date(wallMs).toISOString(); // 2026-01-02T03:04:05.678Z
  const date = `${iso.slice(8, 10)}${iso.slice(5, 7)}${iso.slice(2, 4)}`;
  return { time: `${iso.slice(11, 19).replaceAll(':', '')}.${iso.slice(20, 22)}`, date };
}

function digits(value: number, width: number): string {
  return String(value).padStart(width, '0');
}
