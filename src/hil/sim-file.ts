// Reads the file of `ferrule sim`, and finds everything that is wrong with it at once, each with its place, as `ferrule check`
// does for a config.

import { dirname, resolve } from 'node:path';
import { deviceNameTrouble } from '../config/device-name.js';
import type { ReadFile } from '../config/file-value.js';
import { formatPath, formatProblem, type Problem, sortProblems } from '../config/problem.js';
import { type ConfigSource, makeSource, problemAt } from '../config/source.js';
import { type Tree, toPlain } from '../config/tree.js';
import { parseYaml } from '../config/yaml-tree.js';
import { zodProblems } from '../config/zod-problems.js';
import { messageOf } from '../core/errors.js';
import { parseLinePlace } from './line-place.js';
import { type SimFile, simSchema } from './sim-schema.js';

export type SimFileResult =
  /** `dir`: what relative paths in the file mean. */
  | { readonly ok: true; readonly sim: SimFile; readonly dir: string }
  /** One problem each. */
  | { readonly ok: false; readonly lines: readonly string[] };

export interface SimFileOptions {
  /** As given by the user. */
  readonly file: string;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** As `fs.readFileSync(path, 'utf8')`. */
  readonly readFile: ReadFile;
}

/** Reads and checks the file. Never throws for what a user wrote. */
export function readSimFile({ file, cwd, env, readFile }: SimFileOptions): SimFileResult {
  const path = resolve(cwd, file);
  let text: string;
  try {
    text = readFile(path);
  } catch (error) {
    return { ok: false, lines: [`${file}: cannot be read: ${messageOf(error)}`] };
  }
  const { tree, problems, isBroken } = parseYaml({ name: file, path, text }, { env, readFile });
  const source = makeSource(tree, file, dirname(path), [file]);
  if (isBroken) return failed(problems, file);
  const checked = check(tree, source);
  const all = [...problems, ...('problems' in checked ? checked.problems : [])];
  if (all.length > 0 || 'problems' in checked) return failed(all, file);
  return { ok: true, sim: checked.sim, dir: dirname(path) };
}

function failed(problems: readonly Problem[], file: string): SimFileResult {
  return { ok: false, lines: sortProblems(problems, [file]).map(formatProblem) };
}

function check(tree: Tree, source: ConfigSource): { readonly sim: SimFile } | { readonly problems: Problem[] } {
  const plain = toPlain(tree);
  const result = simSchema.safeParse(plain);
  if (!result.success) return { problems: zodProblems(source, [], plain, result.error, simSchema) };
  const problems = [...nameProblems(result.data, source), ...sharedLinks(result.data, source)];
  return problems.length > 0 ? { problems } : { sim: result.data };
}

/** The names are meant for a config, and for the commands of a running sim. */
function nameProblems({ devices }: SimFile, source: ConfigSource): Problem[] {
  return Object.keys(devices).flatMap((name) => {
    const trouble = deviceNameTrouble(name) ?? (/\s/.test(name) ? 'contains a blank' : undefined);
    if (trouble === undefined) return [];
    const place = source.locateKey(['devices', name]);
    return [{ ...place, path: formatPath(['devices', name]), expected: '', found: `the name ${trouble}` }];
  });
}

function sharedLinks({ devices }: SimFile, source: ConfigSource): Problem[] {
  const owners = new Map<string, string>();
  return Object.entries(devices).flatMap(([name, { link }]) => {
    const place = parseLinePlace(link, source.dir);
    const key = JSON.stringify(place);
    const owner = owners.get(key);
    owners.set(key, owner ?? name);
    // Several may dial the same listener, and the system may choose several ports.
    if (owner === undefined || place?.kind === 'dial' || (place?.kind === 'tcp' && place.port === 0)) return [];
    return [problemAt(source, ['devices', name, 'link'], '', `the link of ${owner} already: ${link}`)];
  });
}
