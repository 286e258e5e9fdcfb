// Environment variables over the config: `FERRULE_MQTT__URL=mqtts://broker` sets `mqtt.url`. Two underscores go one level
// down; names are lower-cased. Lists and maps are JSON; numbers and booleans become such where the schema wants them,
// so that a password of digits stays a text. In names of devices `-`, `/` and capitals are written as `_` and capitals:
// `FERRULE_DEVICES__PRESS_SCALE__LINK__BAUD_RATE` reaches the device `press/scale`.

import { suggestion } from './nearest.js';
import { formatPath, type Place, type Problem } from './problem.js';
import { type Entry, emptyMap, fromPlain, type MapTree, type Tree } from './tree.js';

const PREFIX = 'FERRULE_';
/** Variables that choose the config itself (`load.ts`). */
const NOT_OVERRIDES = new Set(['FERRULE_CONFIG', 'FERRULE_CONFIG_FILE']);

/** Sets the overrides of `env` in `root`, in place. Unknown keys are left for the schema to find, at the variable's name. */
export function applyEnv(root: MapTree, env: Readonly<Record<string, string | undefined>>): Problem[] {
  return Object.keys(env)
    .filter((name) => name.startsWith(PREFIX) && !NOT_OVERRIDES.has(name))
    .sort()
    .flatMap((name) => applyOne(root, name, env[name] ?? '') ?? []);
}

/** The place of a value from the environment. */
function envPlace(name: string): Place {
  return { file: `env ${name}`, line: 0, col: 0 };
}

function applyOne(root: MapTree, name: string, text: string): Problem | undefined {
  const place = envPlace(name);
  const path = name.slice(PREFIX.length).toLowerCase().split('__');
  const last = path.pop() ?? '';
  let map = root;
  for (const [depth, word] of path.entries()) {
    const walked = path.slice(0, depth);
    const [key, ...others] = keysFor(map, word, walked);
    if (key === undefined) return noDevice(place, map, word);
    if (others.length > 0) return severalDevices(place, word, [key, ...others]);
    const next = mapUnder(map, key, place);
    if (next === undefined) {
      return {
        ...place,
        path: formatPath([...walked, key]),
        expected: 'a map there',
        found: 'a single value in the config',
      };
    }
    map = next;
  }
  const [key, ...others] = keysFor(map, last, path);
  if (key === undefined) return noDevice(place, map, last);
  if (others.length > 0) return severalDevices(place, last, [key, ...others]);
  map.entries.set(key, { keyPlace: place, value: treeOf(text, place) });
  return undefined;
}

/** The keys that a word of a variable's name may mean: one, but for devices, of which there may be none or several. */
function keysFor(map: MapTree, word: string, parents: readonly string[]): string[] {
  if (parents.length !== 1 || parents[0] !== 'devices') return [word];
  return [...map.entries.keys()].filter((name) => name.toLowerCase().replaceAll(/[^a-z0-9]/g, '_') === word);
}

function noDevice(place: Place, devices: MapTree, word: string): Problem {
  const hint = suggestion(word, [...devices.entries.keys()]);
  const problem = { ...place, path: 'devices', expected: '', found: `no device "${word}"` };
  return hint === undefined ? problem : { ...problem, hint };
}

function severalDevices(place: Place, word: string, names: readonly string[]): Problem {
  const found = `"${word}" may be ${names.join(' or ')}: give one of them another name`;
  return { ...place, path: 'devices', expected: '', found };
}

/** The map under `key`, made if nothing is there; undefined if something else is. */
function mapUnder(map: MapTree, key: string, place: Place): MapTree | undefined {
  const entry: Entry | undefined = map.entries.get(key);
  if (entry?.value.kind === 'map') return entry.value;
  if (entry !== undefined && !(entry.value.kind === 'scalar' && entry.value.value === null)) return undefined;
  const made = emptyMap(place);
  map.entries.set(key, { keyPlace: place, value: made });
  return made;
}

function treeOf(text: string, place: Place): Tree {
  if (!/^\s*[[{"]/.test(text)) return { kind: 'scalar', value: text, place, loose: true };
  try {
    return fromPlain(JSON.parse(text), place);
  } catch {
    return { kind: 'scalar', value: text, place, loose: true };
  }
}
