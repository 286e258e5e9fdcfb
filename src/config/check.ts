// A tree against the schema: the Config, or all that is wrong with it at once.

import { checkNames, crossCheck, type RealPath } from './cross-check.js';
import type { ConfigPath, Problem } from './problem.js';
import { resolveConfig, type Surroundings } from './resolve.js';
import { type Config, configSchema, type ParsedConfig } from './schema.js';
import type { ConfigSource } from './source.js';
import { type MapTree, mapAt, nodeAt, type ScalarTree, type Tree, toPlain } from './tree.js';
import { zodProblems } from './zod-problems.js';

/** zod compiles a schema at its first use: 10 ms, which pays for thousands of values, not for one config. */
const ONCE = { jitless: true };

export type Checked = { readonly config: Config | undefined; readonly problems: readonly Problem[] };

/** Checks a merged tree. `config` is there when there are no problems. */
export function checkTree(
  root: MapTree,
  source: ConfigSource,
  surroundings: Surroundings & { realPath: RealPath },
): Checked {
  typeOptions(root);
  const { plain, result } = parseLoosely(root);
  const problems = result.success ? [] : zodProblems(source, [], plain, result.error, configSchema);
  const parsed = result.success ? result.data : parseRest(plain, result.error.issues);
  problems.push(...checkNames(namesIn(root), source));
  if (parsed === undefined) return { config: undefined, problems };
  problems.push(...crossCheck(parsed, source, surroundings.realPath));
  const resolved = resolveConfig(parsed, source, surroundings);
  problems.push(...resolved.problems);
  return { config: problems.length === 0 ? resolved.config : undefined, problems };
}

function namesIn(root: MapTree): string[] {
  return [...(mapAt(root, 'devices')?.entries.keys() ?? [])];
}

/** Text from the environment is taken as text first, and as a number or boolean where the schema turns the text down. */
function parseLoosely(root: MapTree) {
  for (;;) {
    const plain = toPlain(root) as Record<string, unknown>; // the root is a map
    const result = configSchema.safeParse(plain, ONCE);
    const suspects = result.success ? [] : result.error.issues.map(({ path }) => nodeAt(root, withoutSymbols(path)));
    if (suspects.filter(retype).length === 0) return { plain, result };
  }
}

function withoutSymbols(path: readonly PropertyKey[]): ConfigPath {
  return path.filter((key) => typeof key !== 'symbol');
}

const NUMBER = /^[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?$/i;

/** True if the node was loose text that reads as a number or boolean; it is that from now on. Ends: no longer text. */
function retype(node: Tree | undefined): boolean {
  if (node?.kind !== 'scalar' || !node.loose || typeof node.value !== 'string') return false;
  const text = node.value.trim();
  if (text === 'true' || text === 'false') node.value = text === 'true';
  else if (NUMBER.test(text)) node.value = Number(text);
  else return false;
  return true;
}

/** Options are checked later, by the driver: there the text is read as YAML would have read it. */
function typeOptions(root: MapTree): void {
  for (const entry of [...(mapAt(root, 'devices')?.entries.values() ?? []), { value: mapAt(root, 'defaults') }]) {
    const options = entry.value?.kind === 'map' ? entry.value.entries.get('options')?.value : undefined;
    if (options !== undefined) for (const scalar of scalarsIn(options)) retype(scalar);
  }
}

function scalarsIn(tree: Tree): ScalarTree[] {
  if (tree.kind === 'scalar') return [tree];
  if (tree.kind === 'list') return tree.items.flatMap(scalarsIn);
  return [...tree.entries.values()].flatMap((entry) => scalarsIn(entry.value));
}

type Issues = readonly { readonly path: readonly PropertyKey[]; readonly keys?: readonly string[] }[];

/** What is left when sections and devices with issues are taken out: it still can be checked against itself. */
function parseRest(plain: Record<string, unknown>, issues: Issues): ParsedConfig | undefined {
  const result = configSchema.safeParse(withoutFaulty(plain, issues), ONCE);
  return result.success ? result.data : undefined;
}

function withoutFaulty(plain: Record<string, unknown>, issues: Issues): Record<string, unknown> {
  const { devices, ...sections } = plain;
  const isMap = typeof devices === 'object' && devices !== null && !Array.isArray(devices);
  const good: Record<string, unknown> = isMap ? { ...devices } : {};
  for (const { path, keys = [] } of issues) {
    if (path[0] === 'devices') delete good[String(path[1])];
    else for (const key of path[0] === undefined ? keys : [String(path[0])]) delete sections[key];
  }
  return { ...sections, devices: good };
}
