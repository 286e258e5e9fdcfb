// How `ferrule monitor` shows a message: one line for people, or one JSON object. Whatever a device sends, the terminal only
// gets printable characters.

import { printable } from '../uplink/printable.js';

/** On which of a device's topics a message came. */
export type MonitorKind = 'tap' | 'reading' | 'response' | 'availability';

/** What the monitor reads of a message on the tap topic. */
interface TapMessage {
  readonly at: number;
  readonly direction: 'in' | 'out';
  readonly hex: string;
  readonly dropped: number;
}

const ARROWS = { in: 'in  <-', out: 'out ->' };

/** `12:34:56.789 in  <- 12.5 kg\r\n`. `at`: wall-clock ms of its arrival; a tapped line has its own time. */
export function monitorLine(kind: MonitorKind, payload: Buffer, at: number): string {
  const tap = kind === 'tap' ? tapIn(payload) : undefined;
  if (tap === undefined) return `${timeOfDay(at)} ${kind} ${printable(payload)}`;
  const lost = tap.dropped > 0 ? `   (${tap.dropped} bytes before this are not shown)` : '';
  return `${timeOfDay(tap.at)} ${ARROWS[tap.direction]} ${printable(Buffer.from(tap.hex, 'hex'))}${lost}`;
}

/** `{"kind","at","payload"}`: the payload as it is where it is JSON, else as text. */
export function monitorJson(kind: MonitorKind, payload: Buffer, at: number): string {
  return JSON.stringify({ kind, at, payload: parsed(payload) ?? payload.toString('utf8') });
}

function tapIn(payload: Buffer): TapMessage | undefined {
  const value = parsed(payload);
  if (typeof value !== 'object' || value === null) return undefined;
  const { at, direction, hex, dropped } = value as Partial<Record<keyof TapMessage, unknown>>; // an object, just checked
  if (typeof at !== 'number' || typeof hex !== 'string' || typeof dropped !== 'number') return undefined;
  return direction === 'in' || direction === 'out' ? { at, direction, hex, dropped } : undefined;
}

function parsed(payload: Buffer): unknown {
  try {
    return JSON.parse(payload.toString('utf8'));
  } catch {
    return undefined;
  }
}

function timeOfDay(ms: number): string {
  const date = new Date(ms);
  const two = (part: number): string => String(part).padStart(2, '0');
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':');
  return `${time}.${String(date.getMilliseconds()).padStart(3, '0')}`;
}
