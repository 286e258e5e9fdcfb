// Where in a config secrets stand that were read with `!file`: whoever shows the config leaves them out, whatever their key.

import type { ConfigPath } from './problem.js';
import type { Tree } from './tree.js';

/** The paths of all values that came from a file of their own. */
export function secretPaths(tree: Tree, path: ConfigPath = []): ConfigPath[] {
  if (tree.kind === 'scalar') return tree.secret === true ? [path] : [];
  if (tree.kind === 'list') return tree.items.flatMap((item, index) => secretPaths(item, [...path, index]));
  return [...tree.entries].flatMap(([key, { value }]) => secretPaths(value, [...path, key]));
}
