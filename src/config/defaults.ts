// Fills `defaults` into the devices, in the tree, before anything is checked: a wrong default is then found in the place
// where it was written. The rule is simple on purpose:
//
//   a key that the device does not have is taken from defaults, whole;
//   `reconnect` is filled in key by key;
//   `link` is filled in key by key where both have the same `type`, else the device's link stays as it is.

import { type Entry, type MapTree, mapAt, nodeAt } from './tree.js';

/** Merges `defaults` into every device, in place. */
export function applyDefaults(root: MapTree): void {
  const defaults = mapAt(root, 'defaults');
  const devices = mapAt(root, 'devices');
  if (defaults === undefined || devices === undefined) return;
  for (const { value: device } of devices.entries.values()) {
    if (device.kind === 'map') fillDevice(device, defaults);
  }
}

function fillDevice(device: MapTree, defaults: MapTree): void {
  for (const [key, entry] of defaults.entries) {
    const own = device.entries.get(key);
    if (key === 'link') fillLink(device, own, entry);
    else if (own === undefined) device.entries.set(key, entry);
    else if (key === 'reconnect') fillMap(device, key, own, entry);
  }
}

function fillLink(device: MapTree, own: Entry | undefined, given: Entry): void {
  if (own === undefined || linkType(own) === undefined || linkType(own) !== linkType(given)) return;
  fillMap(device, 'link', own, given);
}

function linkType(entry: Entry): unknown {
  const type = nodeAt(entry.value, ['type']);
  return type?.kind === 'scalar' ? type.value : undefined;
}

/** A new map: the device's own keys over the given ones. */
function fillMap(device: MapTree, key: string, own: Entry, given: Entry): void {
  if (own.value.kind !== 'map' || given.value.kind !== 'map') return;
  const entries = new Map([...given.value.entries, ...own.value.entries]);
  device.entries.set(key, { keyPlace: own.keyPlace, value: { ...own.value, entries } });
}
