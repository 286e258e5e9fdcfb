// Waits for a device node to appear, by inotify, so that a replugged adapter is open again in tens of milliseconds instead
// of at the end of a backoff. A hint only: where nothing can be watched, the backoff still gets there.
//
// Each byte that anybody writes to a tty is an event of kind `change` in /dev. So a `change` counts only where a node that
// we could not open has become one that we can (udev sets owner and mode a moment after the node appears).

import { accessSync, constants, existsSync, type FSWatcher, lstatSync, readdirSync, statSync, watch } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import type { Timer } from '../../core/clock.js';
import type { LinkDeps } from './link-deps.js';

/** A node, its link and its owner come in several steps; this is about how long they take. */
const SETTLE_MS = 20;
const TTY = /^tty/;
/** Not `tty`, `tty0` to `tty63`. */
const HARDWARE_TTY = /^tty\D/;
const NOTHING: NodeIdentity = 'nothing';
const ANY_TTY = 'any-tty';

/**
 * What to wait for: one node, or any tty in /dev. `known`: what stood there when it was last tried (`nodeIdentity`, `ttysIdentity`);
 * something else there by now is no reason to wait at all. Absent where what stood there could not be opened for reasons of its own.
 */
export type Awaited =
  | { readonly path: string; readonly known?: NodeIdentity }
  | { readonly path: 'any-tty'; readonly known: NodeIdentity };

/** Tells a node, and the link that leads to it, from a later one of the same name. */
export type NodeIdentity = string;

/** What stands at `path` now. */
export function nodeIdentity(path: string): NodeIdentity {
  try {
    return [lstatSync(path), statSync(path)].map(({ ino, rdev, ctimeMs }) => `${ino} ${rdev} ${ctimeMs}`).join(', ');
  } catch {
    return NOTHING;
  }
}

/** What ttys there are in `dev` now, but for virtual consoles. */
export function ttysIdentity(dev = '/dev'): NodeIdentity {
  const names = namesIn(dev).filter((name) => HARDWARE_TTY.test(name));
  return names.map((name) => `${name} ${nodeIdentity(join(dev, name))}`).join('; ');
}

interface Place {
  readonly dir: string;
  isOfInterest(name: string): boolean;
}

/** Resolves when an open may be worth it, or when `signal` aborts. Never rejects. All watchers are closed by then. */
export function nodeAppears(awaited: Awaited, deps: LinkDeps, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const watchers: FSWatcher[] = [];
    const touched = new Set<string>();
    let settling: Timer | undefined;
    const finish = (): void => {
      settling?.cancel();
      signal.removeEventListener('abort', finish);
      for (const watcher of watchers) watcher.close();
      resolve();
    };
    const onTouched = (path: string): void => {
      touched.add(path);
      settling ??= deps.clock.after(SETTLE_MS, () => {
        settling = undefined;
        // What was touched may also have been removed; then waiting goes on.
        if ([...touched].some((each) => existsSync(each))) finish();
        touched.clear();
      });
    };
    signal.addEventListener('abort', finish, { once: true });
    const { dev = '/dev' } = deps;
    for (const place of placesOf(awaited, dev)) watchers.push(...watchPlace(place, onTouched, deps));
    // It may have come, or become ours, between the failed open and now, or have gone and come back before its loss was noticed.
    if (isAnother(awaited, dev)) onTouched(awaited.path === ANY_TTY ? dev : awaited.path);
  });
}

function isAnother({ path, known }: Awaited, dev: string): boolean {
  if (path === ANY_TTY) return ttysIdentity(dev) !== known;
  const now = nodeIdentity(path);
  return known !== undefined && now !== NOTHING && now !== known;
}

function watchPlace(place: Place, onTouched: (path: string) => void, deps: LinkDeps): FSWatcher[] {
  try {
    const locked = lockedIn(place);
    const watcher = watch(place.dir, { persistent: false }, (event, name) => {
      if (name === null || !place.isOfInterest(name)) return;
      const path = join(place.dir, name);
      if (event === 'rename' || (locked.has(name) && isAccessible(path))) onTouched(path);
    });
    watcher.on('error', () => watcher.close());
    return [watcher];
  } catch (err) {
    deps.log?.debug({ err }, `cannot watch ${place.dir}; a replugged device is found by trying again`);
    return [];
  }
}

/** The nodes that are there but that we may not open. */
function lockedIn(place: Place): ReadonlySet<string> {
  const names = readdirSync(place.dir).filter((name) => place.isOfInterest(name));
  return new Set(names.filter((name) => !isAccessible(join(place.dir, name))));
}

function namesIn(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch {
    return [];
  }
}

function isAccessible(path: string): boolean {
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function placesOf(awaited: Awaited, dev: string): Place[] {
  const anyTty: Place = { dir: dev, isOfInterest: (name) => TTY.test(name) };
  if (awaited.path === ANY_TTY) return [anyTty];
  const own = placeOf(awaited.path);
  // A node under /dev/serial/by-id is a link: what it points at may come back in /dev without a change of the link.
  const isNested = awaited.path.startsWith(dev + sep) && dirname(awaited.path) !== dev;
  return isNested && own.dir !== dev ? [own, anyTty] : [own];
}

/** The nearest directory that exists above `path`, and the name that has to appear in it. */
function placeOf(path: string): Place {
  let dir = dirname(path);
  while (!existsSync(dir) && dir !== dirname(dir)) dir = dirname(dir);
  const next = relative(dir, path).split(sep)[0];
  return { dir, isOfInterest: (name) => name === next };
}
