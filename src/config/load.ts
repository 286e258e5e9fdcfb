// Finds and reads the config: main file, `devices.d/*.yaml`, environment. Synchronous, because nothing else can start before
// it. Never throws and never writes; everything that is wrong is answered as a Problem, all of it at once.
//
//   file(s) -> trees with places -> + environment -> + what was changed over MQTT -> + defaults -> schema -> cross-checks -> Config

import { readdirSync, readFileSync, realpathSync } from 'node:fs';
import { basename, dirname, relative, resolve } from 'node:path';
import { checkTree } from './check.js';
import type { RealPath } from './cross-check.js';
import { applyDefaults } from './defaults.js';
import { type ConfigDraft, makeDraft } from './draft.js';
import { applyEnv } from './env-overrides.js';
import { type ReadFile, reasonOf } from './file-value.js';
import { expandLinks } from './link-expansion.js';
import { type ConfigPath, formatPath, formatPlace, type Problem, sortProblems } from './problem.js';
import { type MergedChanges, mergeChanges, NO_CHANGES, parseChanges, type RemoteChanges } from './remote-changes.js';
import { changesPath } from './remote-changes-file.js';
import type { Config } from './schema.js';
import { secretPaths } from './secret-paths.js';
import { type ConfigSource, makeSource } from './source.js';
import { emptyMap, type MapTree, nodeAt, type Tree } from './tree.js';
import { parseYaml } from './yaml-tree.js';

export interface LoadOptions {
  /**
   * The file of `-c`. Absent: FERRULE_CONFIG_FILE, the YAML text in FERRULE_CONFIG, ./ferrule.yaml, /etc/ferrule/ferrule.yaml,
   * and without any of these the overrides alone, if FERRULE_DEVICES is one of them.
   */
  readonly path?: string | undefined;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly hostname: string;
  /** As `fs.readFileSync(path, 'utf8')`. */
  readonly readFile?: ReadFile;
  /** The names in a folder, or throws, as `fs.readdirSync`. */
  readonly readDir?: (path: string) => string[];
  readonly realPath?: RealPath;
  /** What was changed over MQTT. Absent: as it is kept below `gateway.data_dir`. */
  readonly changes?: RemoteChanges | undefined;
}

/** What is kept of changes over MQTT, and what became of it in a config. */
export interface KeptChanges extends MergedChanges {
  /** Absolute; need not exist. */
  readonly file: string;
  /** The same as shown to people. */
  readonly name: string;
  readonly changes: RemoteChanges;
  /** Why the file could not be read; the config is then without its changes. */
  readonly trouble?: string;
}

export type LoadResult =
  | {
      readonly ok: true;
      readonly config: Config;
      readonly source: ConfigSource;
      readonly kept: KeptChanges;
      /** Where values stand that were read with `!file`. */
      readonly secrets: readonly ConfigPath[];
    }
  /** `draft`: what can still be checked by those who know the drivers, and `changes`: what of it came over MQTT; absent where a
   *  file was no YAML. */
  | {
      readonly ok: false;
      readonly problems: readonly Problem[];
      readonly draft?: ConfigDraft;
      readonly changes?: RemoteChanges;
    }
  /** No config anywhere; these places were looked at. */
  | { readonly ok: false; readonly missing: readonly string[] };

interface Files {
  readonly cwd: string;
  readonly env: LoadOptions['env'];
  readonly readFile: ReadFile;
  readonly readDir: (path: string) => string[];
}

/** The text of one config file. */
interface ConfigFile {
  readonly name: string;
  readonly path: string;
  readonly text: string;
}

/** Loads the config of this machine, or the file at `path`. */
export function loadConfig(options: LoadOptions): LoadResult {
  const files: Files = {
    cwd: options.cwd,
    env: options.env,
    readFile: options.readFile ?? ((path) => readFileSync(path, 'utf8')),
    readDir: options.readDir ?? ((path) => readdirSync(path)),
  };
  const found = findMain(options, files);
  if ('missing' in found) return { ok: false, missing: found.missing };
  if ('problem' in found) return { ok: false, problems: [found.problem] };
  const { root, names, problems, isBroken } = readAll(found.main, files);
  // A file that is no YAML was read in part: whatever the schema would say of the rest may be wrong.
  if (isBroken) return { ok: false, problems: sortProblems(problems, names) };

  dropEmptySections(root);
  expandLinks(root);
  problems.push(...applyEnv(root, options.env));
  const kept = layChanges(root, dirname(found.main.path), files, options.changes);
  expandLinks(root);
  applyDefaults(root);
  const source = makeSource(root, found.main.name, dirname(found.main.path), names);
  const { hostname, env, realPath = realpathSync } = options;
  const checked = checkTree(root, source, { hostname, env, readFile: files.readFile, realPath });
  problems.push(...checked.problems);
  if (problems.length > 0 || checked.config === undefined) {
    return {
      ok: false,
      problems: sortProblems(problems, names),
      draft: makeDraft(root, source),
      changes: kept.changes,
    };
  }
  return { ok: true, config: checked.config, source, kept, secrets: secretPaths(root) };
}

/** Lays what was changed over MQTT over the tree; without `given`, what is on disk. */
function layChanges(root: MapTree, dir: string, files: Files, given: RemoteChanges | undefined): KeptChanges {
  const file = changesPath(resolve(dir, dataDirIn(root)));
  const read = given === undefined ? readChanges(file, files) : { changes: given };
  const name = shownName(file, files.cwd);
  return { file, name, ...read, ...mergeChanges(root, read.changes, { file: name, line: 0, col: 0 }) };
}

/** Before the schema has looked at it. */
function dataDirIn(root: MapTree): string {
  const node = nodeAt(root, ['gateway', 'data_dir']);
  const isText = node?.kind === 'scalar' && typeof node.value === 'string' && node.value !== '';
  return isText ? String(node.value) : './data';
}

function readChanges(file: string, { readFile }: Files): { changes: RemoteChanges; trouble?: string } {
  let text: string;
  try {
    text = readFile(file);
  } catch (error) {
    const code = (error as { code?: unknown }).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') return { changes: NO_CHANGES };
    return { changes: NO_CHANGES, trouble: `cannot be read: ${reasonOf(error)}` };
  }
  const parsed = parseChanges(text);
  return parsed.ok ? { changes: parsed.changes } : { changes: NO_CHANGES, trouble: parsed.reason };
}

type Found = { readonly main: ConfigFile } | { readonly missing: readonly string[] } | { readonly problem: Problem };

function findMain({ path, cwd, env }: LoadOptions, files: Files): Found {
  const chosen = path ?? (env.FERRULE_CONFIG_FILE || undefined);
  const inline = env.FERRULE_CONFIG;
  if (chosen === undefined && inline) {
    return { main: { name: 'env FERRULE_CONFIG', path: resolve(cwd, 'ferrule.yaml'), text: inline } };
  }
  const candidates = chosen === undefined ? ['ferrule.yaml', '/etc/ferrule/ferrule.yaml'] : [chosen];
  for (const candidate of candidates) {
    const absolute = resolve(cwd, candidate);
    const read = readConfigFile(absolute, files);
    if (read !== 'missing') return 'text' in read ? { main: read } : { problem: read };
  }
  if (chosen === undefined && env.FERRULE_DEVICES) {
    return { main: { name: 'env FERRULE_DEVICES', path: resolve(cwd, 'ferrule.yaml'), text: '' } };
  }
  return { missing: candidates.map((candidate) => resolve(cwd, candidate)) };
}

function readConfigFile(path: string, { cwd, readFile }: Files): ConfigFile | Problem | 'missing' {
  const name = shownName(path, cwd);
  try {
    return { name, path, text: readFile(path) };
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ENOENT') return 'missing';
    return { file: name, line: 0, col: 0, path: '', expected: '', found: `cannot be read: ${reasonOf(error)}` };
  }
}

/** Relative to where the user stands, if the file is below. */
function shownName(path: string, cwd: string): string {
  const name = relative(cwd, path);
  return name === '' || name.startsWith('..') ? path : name;
}

interface ReadAll {
  readonly root: MapTree;
  readonly names: readonly string[];
  readonly problems: Problem[];
  readonly isBroken: boolean;
}

function readAll(main: ConfigFile, files: Files): ReadAll {
  const first = parseYaml(main, files);
  const problems = [...first.problems];
  const names = [main.name];
  let { isBroken } = first;
  const root = asMap(first.tree, main.name, problems);
  const isInline = main.name.startsWith('env ');
  for (const extra of isInline ? [] : deviceFiles(resolve(dirname(main.path), 'devices.d'), files)) {
    names.push('text' in extra ? extra.name : extra.file);
    if (!('text' in extra)) {
      problems.push(extra);
      continue;
    }
    const read = parseYaml(extra, files);
    problems.push(...read.problems);
    isBroken ||= read.isBroken;
    addDevices(root, asMap(read.tree, extra.name, problems), problems);
  }
  return { root, names, problems, isBroken };
}

/** The files of a folder that need not exist, in the order of their names. */
function deviceFiles(folder: string, files: Files): (ConfigFile | Problem)[] {
  let names: string[];
  try {
    names = files.readDir(folder);
  } catch (error) {
    const code = (error as { code?: unknown }).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') return [];
    const file = shownName(folder, files.cwd);
    return [{ file, line: 0, col: 0, path: '', expected: '', found: `cannot be read: ${reasonOf(error)}` }];
  }
  return names
    .filter((name) => /\.ya?ml$/.test(name) && !basename(name).startsWith('.'))
    .sort()
    .map((name) => readConfigFile(resolve(folder, name), files))
    .filter((file) => file !== 'missing');
}

function asMap(tree: Tree, name: string, problems: Problem[]): MapTree {
  if (tree.kind === 'map') return tree;
  const isNothing = tree.kind === 'scalar' && (tree.value === null || tree.broken);
  if (!isNothing) problems.push({ ...tree.place, path: '', expected: 'a map of keys', found: 'something else' });
  return emptyMap({ file: name, line: 1, col: 1 });
}

/** A file of `devices.d` is a map of devices, or has them under `devices`. */
function addDevices(root: MapTree, added: MapTree, problems: Problem[]): void {
  const inner = added.entries.get('devices')?.value;
  const isWrapped = added.entries.size === 1 && inner?.kind === 'map' && !inner.entries.has('driver');
  const devices = devicesOf(root);
  for (const [name, entry] of (isWrapped ? inner : added).entries) {
    const first = devices.entries.get(name);
    if (first === undefined) {
      devices.entries.set(name, entry);
      continue;
    }
    const path = formatPath(['devices', name]);
    const hint = `first at ${formatPlace(first.keyPlace)}`;
    problems.push({ ...entry.keyPlace, path, expected: '', found: `duplicate device "${name}"`, hint });
  }
}

/** The map of devices, made if it is not there. If it is no map, the schema says so; what is added is checked apart. */
function devicesOf(root: MapTree): MapTree {
  const present = root.entries.get('devices');
  if (present?.value.kind === 'map') return present.value;
  const made = emptyMap(root.place);
  const isFree = present === undefined || (present.value.kind === 'scalar' && present.value.value === null);
  if (isFree) root.entries.set('devices', { keyPlace: root.place, value: made });
  return made;
}

/** `devices:` with everything below it commented out means no devices. */
function dropEmptySections(root: MapTree): void {
  for (const [key, { value }] of root.entries) {
    if (value.kind === 'scalar' && value.value === null) root.entries.delete(key);
  }
}
