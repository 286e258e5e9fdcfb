// Finds drivers by their name: one file in a drivers folder = one driver, `nmea0183.js` -> `nmea0183`. Nothing is registered
// anywhere, and nothing is imported before a device asks for it. Folders: Ferrule's own, then the user's `drivers_dir`.
// An imported driver stays: a changed file counts from the next start of the process on. One that could not be imported is tried
// again when it has been mended.

import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { suggestion } from '../config/nearest.js';
import { FerruleError, messageOf } from '../core/errors.js';
import type { Driver } from './driver.js';
import * as driverApi from './driver.js';

/** Folder of the drivers that come with Ferrule (built: `dist/devices`). */
export const builtInDriversDir: string = fileURLToPath(new URL('../../devices/', import.meta.url));

/** Where `ferrule/driver`, as it is built, finds what is loaded already: a second zod would take 30 ms of a start, and a megabyte. */
const OFFERED = Symbol.for('ferrule.driver');

export type DriverTrouble =
  | 'unknown' // no file of that name in any folder
  | 'ambiguous' // the same name in two folders
  | 'no-folder' // a folder cannot be read
  | 'broken' // it throws while it is imported
  | 'not-a-driver'; // no default export, or one of the wrong shape

/** Why a driver cannot be used. The message names the file or folder and the way out; `cause` is what the driver threw. */
export class DriverError extends FerruleError {
  readonly trouble: DriverTrouble;

  constructor(trouble: DriverTrouble, message: string, options?: { cause?: unknown }) {
    super(`driver-${trouble}`, message, options);
    this.trouble = trouble;
  }
}

/** Where to look: `[builtInDriversDir]`, and the user's `drivers_dir` after it. */
export interface DriverPlaces {
  readonly dirs: readonly string[];
}

/** Loads the driver of that name. Rejects with a DriverError. */
export async function loadDriver(name: string, { dirs }: DriverPlaces): Promise<Driver> {
  const found = await findDrivers(dirs);
  // Only names that a folder lists are ever turned into a path: `../x` is simply unknown.
  const [file, second] = found.get(name) ?? [];
  if (file === undefined) throw unknownDriver(name, [...found.keys()]);
  if (second !== undefined) throw ambiguousDriver(name, file, second);
  return importDriver(file);
}

/** One line about a driver; of one that cannot be loaded, `trouble` says why and `summary` is empty. */
export interface DriverListing {
  readonly name: string;
  readonly file: string;
  readonly summary: string;
  readonly trouble?: string;
}

/** All drivers by name. Imports each; a broken one is listed as such. Rejects with a DriverError if a folder cannot be read. */
export async function listDrivers(dirs: readonly string[]): Promise<DriverListing[]> {
  const found = [...(await findDrivers(dirs))].flatMap(([name, files]) => files.map((file) => ({ name, file, files })));
  return Promise.all(found.map(({ name, file, files }) => describe(name, file, files)));
}

async function describe(name: string, file: string, files: readonly string[]): Promise<DriverListing> {
  try {
    const [first, second] = files;
    if (first !== undefined && second !== undefined) throw ambiguousDriver(name, first, second);
    return { name, file, summary: (await importDriver(file)).summary };
  } catch (error) {
    return { name, file, summary: '', trouble: messageOf(error) };
  }
}

/** Driver name -> its files, sorted by name; more than one file where folders disagree. */
async function findDrivers(dirs: readonly string[]): Promise<Map<string, string[]>> {
  const found = new Map<string, string[]>();
  const files = await Promise.all([...new Set(dirs.map((dir) => path.resolve(dir)))].map(driverFiles));
  for (const file of files.flat().sort((a, b) => (driverName(a) < driverName(b) ? -1 : 1))) {
    found.set(driverName(file), [...(found.get(driverName(file)) ?? []), file]);
  }
  return found;
}

function driverName(file: string): string {
  return path.basename(file, path.extname(file));
}

async function driverFiles(dir: string): Promise<string[]> {
  try {
    const names = await readdir(dir);
    return names.filter((name) => /^[A-Za-z0-9][\w-]*\.m?js$/.test(name)).map((name) => path.join(dir, name));
  } catch (error) {
    throw new DriverError('no-folder', `cannot read the drivers folder ${dir}: ${messageOf(error)}`, { cause: error });
  }
}

async function importDriver(file: string): Promise<Driver> {
  const module = await importFile(file);
  const candidate = module.default;
  if (candidate === undefined) {
    throw new DriverError(
      'not-a-driver',
      `${file} has no default export; expected: export default defineDriver({...})`,
    );
  }
  const faults = shapeFaults(candidate);
  if (faults.length > 0) throw new DriverError('not-a-driver', `${file} is no driver: ${faults.join('; ')}`);
  return candidate as Driver; // shape checked just now
}

async function importFile(file: string): Promise<{ readonly default?: unknown }> {
  Object.assign(globalThis, { [OFFERED]: driverApi });
  try {
    return await importAnew(file);
  } catch (error) {
    const message = messageOf(error);
    const hint = message.includes("'ferrule'")
      ? ` (make ferrule known there: npm link ferrule, or a link at ${path.join(path.dirname(file), 'node_modules/ferrule')})`
      : '';
    throw new DriverError('broken', `${file} cannot be loaded: ${message}${hint}`, { cause: error });
  }
}

/** What could not be imported once stays so, for Node, under that name: a file that has changed since we began gets another one. */
async function importAnew(file: string): Promise<{ readonly default?: unknown }> {
  const { href } = pathToFileURL(file);
  try {
    return await import(href);
  } catch (error) {
    const { mtimeMs } = await stat(file);
    if (mtimeMs < performance.timeOrigin) throw error;
    return import(`${href}?${mtimeMs}`);
  }
}

/** What keeps a value from being a driver, in words; empty if it is one. */
function shapeFaults(candidate: unknown): string[] {
  if (typeof candidate !== 'object' || candidate === null) {
    return [`expected the default export to be an object made by defineDriver, got ${typeof candidate}`];
  }
  const driver = candidate as Readonly<Record<string, unknown>>; // any object may be looked into
  const rules = [...SHAPE, ...(driver.kind === 'session' ? SESSION_SHAPE : FRAMED_SHAPE)];
  return rules
    .filter(({ key, isRight }) => !isRight(driver[key]))
    .map(({ key, expected }) => `${key}: expected ${expected}, got ${show(driver[key])}`);
}

interface ShapeRule {
  readonly key: string;
  readonly expected: string;
  isRight(value: unknown): boolean;
}

const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null;
const isFunction = (value: unknown): boolean => typeof value === 'function';
const orAbsent = (isRight: (value: unknown) => boolean) => (value: unknown) => value === undefined || isRight(value);

const SHAPE: readonly ShapeRule[] = [
  { key: 'kind', expected: '"framed" or "session"', isRight: (value) => value === 'framed' || value === 'session' },
  { key: 'summary', expected: 'a line of text', isRight: (value) => typeof value === 'string' && value !== '' },
  { key: 'options', expected: 'a zod schema', isRight: isSchema },
  { key: 'defaults', expected: 'an object or nothing', isRight: orAbsent(isObject) },
  { key: 'channels', expected: 'an object or nothing', isRight: orAbsent(isObject) },
  { key: 'commands', expected: 'an object or nothing', isRight: orAbsent(isObject) },
];

const FRAMED_SHAPE: readonly ShapeRule[] = [
  { key: 'create', expected: 'a function', isRight: isFunction },
  { key: 'hello', expected: 'a function or nothing', isRight: orAbsent(isFunction) },
  { key: 'poll', expected: 'a function or nothing', isRight: orAbsent(isFunction) },
];

const SESSION_SHAPE: readonly ShapeRule[] = [{ key: 'open', expected: 'a function', isRight: isFunction }];

function isSchema(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'safeParse' in value && isFunction(value.safeParse);
}

function show(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value) : typeof value;
}

function unknownDriver(name: string, known: readonly string[]): DriverError {
  const available = `available: ${known.join(', ') || 'none'}`;
  const near = suggestion(name, known);
  const hint = near?.startsWith('did') ? `${near} ` : '';
  return new DriverError('unknown', `no driver "${name}"; ${hint}${available}`);
}

function ambiguousDriver(name: string, first: string, second: string): DriverError {
  return new DriverError('ambiguous', `two drivers are called "${name}": ${first} and ${second}; rename yours`);
}
