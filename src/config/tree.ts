// A config as it was written: values together with their places. Files, environment and defaults are merged as trees,
// so that whatever is found wrong later can be shown where it stands. `yaml-tree.ts` grows trees from YAML.

import type { ConfigPath, Place } from './problem.js';

export type ScalarValue = string | number | boolean | null;

export interface ScalarTree {
  readonly kind: 'scalar';
  value: ScalarValue;
  readonly place: Place;
  /** Read by `!file`: never shown. */
  readonly secret?: boolean;
  /** Text from the environment, whose type nobody wrote down: becomes a number or boolean where the schema wants one. */
  readonly loose?: boolean;
  /** Already reported (unset variable, unreadable file): what stands here is no value. */
  readonly broken?: boolean;
}

export interface ListTree {
  readonly kind: 'list';
  readonly items: Tree[];
  readonly place: Place;
}

export interface MapTree {
  readonly kind: 'map';
  readonly entries: Map<string, Entry>;
  readonly place: Place;
}

export interface Entry {
  /** Where the key stands. */
  readonly keyPlace: Place;
  readonly value: Tree;
}

export type Tree = ScalarTree | ListTree | MapTree;

/** An empty map that stands at `place`. */
export function emptyMap(place: Place): MapTree {
  return { kind: 'map', entries: new Map(), place };
}

/** The plain value: objects, arrays, scalars. */
export function toPlain(tree: Tree): unknown {
  if (tree.kind === 'scalar') return tree.value;
  if (tree.kind === 'list') return tree.items.map(toPlain);
  return Object.fromEntries([...tree.entries].map(([key, entry]) => [key, toPlain(entry.value)]));
}

/** A tree for a plain value, all of it at one place. */
export function fromPlain(value: unknown, place: Place): Tree {
  if (Array.isArray(value)) return { kind: 'list', items: value.map((item) => fromPlain(item, place)), place };
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).map(
      ([key, item]) => [key, { keyPlace: place, value: fromPlain(item, place) }] as const,
    );
    return { kind: 'map', entries: new Map(entries), place };
  }
  return { kind: 'scalar', value: value as ScalarValue, place }; // JSON and link strings hold nothing else
}

/** The node at `path`, if there is one. */
export function nodeAt(tree: Tree, path: ConfigPath): Tree | undefined {
  let node: Tree | undefined = tree;
  for (const key of path) {
    if (node === undefined || node.kind === 'scalar') return undefined;
    node = node.kind === 'list' ? node.items[Number(key)] : node.entries.get(String(key))?.value;
  }
  return node;
}

/** The map under `key`, if there is one and it is a map. */
export function mapAt(tree: MapTree, key: string): MapTree | undefined {
  const node = tree.entries.get(key)?.value;
  return node?.kind === 'map' ? node : undefined;
}

/** The place of the value at `path`, or of the nearest thing around it that exists. A key without a value: the key. */
export function placeAt(tree: Tree, path: ConfigPath): Place {
  for (let length = path.length; length > 0; length -= 1) {
    const node = nodeAt(tree, path.slice(0, length));
    if (node === undefined) continue;
    // What is missing inside a block map is best looked for at the map's own key: `scale:`.
    if (length < path.length && node.kind === 'map') return keyPlaceAt(tree, path.slice(0, length));
    return node.place;
  }
  return tree.place;
}

/** The place of the key that `path` ends with, or what `placeAt` says. */
export function keyPlaceAt(tree: Tree, path: ConfigPath): Place {
  const parent = nodeAt(tree, path.slice(0, -1));
  const entry = parent?.kind === 'map' ? parent.entries.get(String(path.at(-1))) : undefined;
  return entry?.keyPlace ?? placeAt(tree, path);
}
