// How `ferrule status` shows the devices of a gateway: a table that fits a terminal of 80 columns, and below it what is wrong
// with whom. Whatever a device has sent, the terminal only gets printable characters.

import type { Health, SpoolHealth } from '../control/health.js';
import { printable } from '../uplink/printable.js';

/** What is used of an entry of `bridge/devices`; an older gateway may lack any of it. */
export interface ShownDevice {
  readonly name: string;
  readonly state: string;
  readonly since?: string;
  readonly reason?: string;
  readonly counters?: Readonly<Record<string, unknown>>;
  readonly dropped?: number;
  readonly origin?: string;
  readonly override?: string;
  readonly connections_total?: number;
}

const HEAD = ['DEVICE', 'STATE', 'SINCE', 'HEARD', 'READINGS', 'DROPPED', 'RETRY'];
/** Columns of numbers and times stand to the right. */
const FIRST_RIGHT = 2;
const LONGEST_NAME = 26;
const CALM = new Set(['online', 'idle', 'disabled']);

/** The lines. `now`: wall-clock ms. */
export function statusLines(devices: readonly ShownDevice[], health: Health, now: number): string[] {
  const rows = [HEAD, ...devices.map((device) => cells(device, now))];
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const table = rows.map((row) =>
    row
      .map((cell, column) => pad(cell, widths[column] ?? 0, column))
      .join('  ')
      .trimEnd(),
  );
  const notes = devices.flatMap(noteOf);
  return [...table, ...(notes.length > 0 ? ['', ...notes] : []), '', ...gatewayLines(health)];
}

function cells({ name, state, since, counters = {}, dropped = 0 }: ShownDevice, now: number): string[] {
  const heard = numberIn(counters.last_heard_at);
  const retry = numberIn(counters.next_retry_at);
  return [
    short(printable(Buffer.from(name))),
    state,
    since === undefined ? '' : span(now - Date.parse(since)),
    heard > 0 ? span(now - heard) : '-',
    counters.readings === undefined ? '-' : String(numberIn(counters.readings)),
    String(dropped + numberIn(counters.dropped_readings)),
    retry > 0 ? `in ${span(retry - now)}` : '',
  ];
}

function numberIn(value: unknown): number {
  return typeof value === 'number' ? value : 0;
}

function short(name: string): string {
  return name.length <= LONGEST_NAME ? name : `${name.slice(0, LONGEST_NAME - 3)}...`;
}

function pad(cell: string, width: number, column: number): string {
  return column < FIRST_RIGHT ? cell.padEnd(width) : cell.padStart(width);
}

/** Why a device is not as one would wish, and what the config file does not say of it. */
function noteOf({ name, state, reason = '', origin, override, connections_total }: ShownDevice): string[] {
  const words = [
    ...(CALM.has(state) || reason === '' ? [] : [reason]),
    ...(origin === 'mqtt' ? ['added over MQTT'] : []),
    ...(override === undefined ? [] : [`${override} over MQTT`]),
    ...(connections_total === undefined ? [] : [`${connections_total} connections`]),
  ];
  return words.length === 0 ? [] : [`${printable(Buffer.from(name))}: ${printable(Buffer.from(words.join('; ')))}`];
}

function gatewayLines({ status, broker, spool, dropped }: Health): string[] {
  return [`gateway: ${status}; broker: ${broker}${spool === undefined ? '' : spoolWords(spool)}; dropped: ${dropped}`];
}

function spoolWords({ state, messages, bytes }: SpoolHealth): string {
  return `; spool: ${state}${messages === 0 ? '' : `, ${messages} messages, ${Math.ceil(bytes / 1024)} KiB`}`;
}

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
] as const;

/** `3d`, `5h`, `12m`, `40s`: the largest unit that is full. */
function span(ms: number): string {
  const [unit, size] = UNITS.find(([, size]) => ms >= size) ?? ['s', 1000];
  return `${Math.max(0, Math.floor(ms / size))}${unit}`;
}
