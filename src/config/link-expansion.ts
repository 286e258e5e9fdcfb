// Replaces the string forms of links by their object forms in a tree, so that environment overrides and defaults can reach
// single keys of a link, and errors name them. A string that is no link stays: the schema says what is wrong with it.

import { parseLink } from './link-string.js';
import { type Entry, fromPlain, type MapTree, mapAt } from './tree.js';

/** Expands the links of all devices, in place. */
export function expandLinks(root: MapTree): void {
  for (const device of mapAt(root, 'devices')?.entries.values() ?? []) {
    if (device.value.kind === 'map') expandLink(device.value.entries);
  }
}

function expandLink(entries: Map<string, Entry>): void {
  const link = entries.get('link');
  if (link?.value.kind !== 'scalar' || typeof link.value.value !== 'string' || link.value.broken) return;
  const parsed = parseLink(link.value.value);
  if (!parsed.ok) return;
  entries.set('link', { keyPlace: link.keyPlace, value: fromPlain(parsed.link, link.value.place) });
}
