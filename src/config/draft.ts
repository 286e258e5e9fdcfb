// What stays readable of a config that has mistakes: which driver each device names and with which options, so that the
// mistakes that only a driver can see are told together with all others; and where a gateway that runs may be asked.

import { resolve } from 'node:path';
import type { ConfigSource } from './source.js';
import { type MapTree, mapAt, nodeAt, type Tree, toPlain } from './tree.js';

/** A device as far as its driver is concerned. Nothing else of it is checked. */
export interface DraftDevice {
  readonly name: string;
  readonly driver: string;
  readonly options: Readonly<Record<string, unknown>>;
}

export interface ConfigDraft {
  readonly devices: readonly DraftDevice[];
  /** Absolute. */
  readonly drivers_dir: string | undefined;
  /** `http.listen` as written, where it is a text; it need not be an address. */
  readonly httpListen: string | undefined;
  readonly source: ConfigSource;
}

/** Reads the draft out of a merged tree. */
export function makeDraft(root: MapTree, source: ConfigSource): ConfigDraft {
  const driversDir = textAt(root, 'drivers_dir');
  const entries = [...(mapAt(root, 'devices')?.entries ?? [])];
  return {
    devices: entries.flatMap(([name, { value }]) => draftDevice(name, value)),
    drivers_dir: driversDir === undefined ? undefined : resolve(source.dir, driversDir),
    httpListen: textAt(root, 'http', 'listen'),
    source,
  };
}

function draftDevice(name: string, device: Tree): DraftDevice[] {
  const driver = textAt(device, 'driver');
  const enabled = nodeAt(device, ['enabled']);
  const isOff = enabled?.kind === 'scalar' && enabled.value === false;
  if (driver === undefined || isOff) return [];
  const options = nodeAt(device, ['options']);
  return [{ name, driver, options: options?.kind === 'map' ? (toPlain(options) as DraftDevice['options']) : {} }]; // a map
}

function textAt(tree: Tree, ...path: string[]): string | undefined {
  const node = nodeAt(tree, path);
  return node?.kind === 'scalar' && !node.broken && typeof node.value === 'string' ? node.value : undefined;
}
