// What was changed over MQTT and must outlive a restart: devices that were added, and devices that were switched on or off.
// Kept in one file below `gateway.data_dir` (`remote-changes-file.ts`), never in a file of the user's; laid over the user's
// config as a tree, so that it goes through the very same checks. No name in it ever becomes the name of a file.

import { z } from 'zod';
import { messageOf } from '../core/errors.js';
import { isNestedDeeper, MAX_NESTING } from './nesting.js';
import type { Place } from './problem.js';
import { fromPlain, type MapTree, mapAt } from './tree.js';

/** A device as it was asked for: before defaults, unchecked. */
export type DeviceInput = Readonly<Record<string, unknown>>;

export interface RemoteChanges {
  /** Devices that were added, by name. */
  readonly devices: ReadonlyMap<string, DeviceInput>;
  /** Devices that were enabled or disabled, whatever their config says. */
  readonly enabled: ReadonlyMap<string, boolean>;
}

export const NO_CHANGES: RemoteChanges = { devices: new Map(), enabled: new Map() };

/** True where nothing was changed. */
export function isUnchanged({ devices, enabled }: RemoteChanges): boolean {
  return devices.size + enabled.size === 0;
}

/** Most devices that can be added. */
export const MAX_ADDED_DEVICES = 256;
/** Largest file of changes, characters. */
export const MAX_CHANGES_CHARS = 1024 * 1024;

const fileSchema = z.strictObject({
  version: z.literal(1),
  devices: z.record(z.string(), z.record(z.string(), z.unknown())),
  enabled: z.record(z.string(), z.boolean()),
});

export type ParsedChanges =
  | { readonly ok: true; readonly changes: RemoteChanges }
  | { readonly ok: false; readonly reason: string };

/** Reads the text of the file. */
export function parseChanges(text: string): ParsedChanges {
  try {
    const value: unknown = JSON.parse(text);
    if (isNestedDeeper(value, 2 * MAX_NESTING)) return { ok: false, reason: 'nested too deep' };
    const parsed = fileSchema.safeParse(value);
    if (!parsed.success) return { ok: false, reason: z.prettifyError(parsed.error).replaceAll(/\s+/g, ' ') };
    const { devices, enabled } = parsed.data;
    return { ok: true, changes: { devices: toMap(devices), enabled: toMap(enabled) } };
  } catch (error) {
    return { ok: false, reason: `not JSON: ${messageOf(error)}` };
  }
}

/** The text of the file. */
export function formatChanges({ devices, enabled }: RemoteChanges): string {
  const file = { version: 1, devices: Object.fromEntries(devices), enabled: Object.fromEntries(enabled) };
  return `${JSON.stringify(file, null, 2)}\n`;
}

function toMap<Value>(record: Readonly<Record<string, Value>>): Map<string, Value> {
  return new Map(Object.entries(record));
}

/** Which changes a config has taken. */
export interface MergedChanges {
  readonly added: readonly string[];
  readonly enabled: ReadonlyMap<string, boolean>;
  /** Added once, and in the user's files by now: those count. */
  readonly shadowed: readonly string[];
}

/** Lays the changes over the devices of a tree, in place. `place`: what an error in them names. */
export function mergeChanges(root: MapTree, changes: RemoteChanges, place: Place): MergedChanges {
  const own = mapAt(root, 'devices');
  const isOwn = (name: string): boolean => own?.entries.has(name) ?? false;
  const shadowed = [...changes.devices.keys()].filter(isOwn);
  const added = [...changes.devices.keys()].filter((name) => !isOwn(name));
  const devices = own ?? makeDevices(root, added.length > 0, place);
  for (const name of added) {
    devices?.entries.set(name, { keyPlace: place, value: fromPlain(changes.devices.get(name), place) });
  }
  const enabled = new Map([...changes.enabled].filter(([name]) => override(devices, name, changes.enabled, place)));
  return { added: devices === undefined ? [] : added, enabled, shadowed };
}

/** Undefined where none is wanted, or where something else stands: the schema says what. */
function makeDevices(root: MapTree, isWanted: boolean, place: Place): MapTree | undefined {
  if (!isWanted || root.entries.has('devices')) return undefined;
  const made: MapTree = { kind: 'map', entries: new Map(), place };
  root.entries.set('devices', { keyPlace: place, value: made });
  return made;
}

/** False if there is no such device. */
function override(
  devices: MapTree | undefined,
  name: string,
  enabled: RemoteChanges['enabled'],
  place: Place,
): boolean {
  const device = devices?.entries.get(name)?.value;
  if (device?.kind !== 'map') return false;
  device.entries.set('enabled', { keyPlace: place, value: fromPlain(enabled.get(name), place) });
  return true;
}
