// Where a config came from: the answer to "in which line does this stand". Kept beside the config for as long as
// anybody may find fault with it (driver options are checked by the driver, long after the file was read).

import { type ConfigPath, describeValue, formatPath, isSecretKey, type Place, type Problem } from './problem.js';
import { keyPlaceAt, nodeAt, placeAt, type Tree } from './tree.js';

export interface ConfigSource {
  /** The main file as shown to people. */
  readonly file: string;
  /** Its folder, absolute: what relative paths in the config mean. */
  readonly dir: string;
  /** All files in the order in which they were read. */
  readonly files: readonly string[];
  /** The place of a value; of the nearest thing around it when it is not there or came from a built-in default. */
  locate(path: ConfigPath): Place;
  /** The place of the key that `path` ends with. */
  locateKey(path: ConfigPath): Place;
  /** What may be shown of the value at `path`: a secret is not. */
  show(path: ConfigPath, value: unknown): string;
  /** True where a problem was reported already and what stands there is no value. */
  isBroken(path: ConfigPath): boolean;
}

/** A source over a tree. */
export function makeSource(tree: Tree, file: string, dir: string, files: readonly string[]): ConfigSource {
  const scalarAt = (path: ConfigPath) => {
    const node = nodeAt(tree, path);
    return node?.kind === 'scalar' ? node : undefined;
  };
  return {
    file,
    dir,
    files,
    locate: (path) => placeAt(tree, path),
    locateKey: (path) => keyPlaceAt(tree, path),
    show: (path, value) =>
      value !== undefined && (scalarAt(path)?.secret || isSecretPath(path))
        ? 'a secret that is not shown'
        : describeValue(value),
    isBroken: (path) => scalarAt(path)?.broken === true,
  };
}

/** The names of devices are no secrets: `devices.token-ring.link`. */
function isSecretPath(path: ConfigPath): boolean {
  return path.some((key, index) => isSecretKey(key) && !(index === 1 && path[0] === 'devices'));
}

/** A problem with the value at `path`. `found`: as shown, see `source.show`. */
export function problemAt(
  source: Pick<ConfigSource, 'locate'>,
  path: ConfigPath,
  expected: string,
  found: string,
  hint?: string,
): Problem {
  return { ...source.locate(path), path: formatPath(path), expected, found, ...(hint === undefined ? {} : { hint }) };
}
