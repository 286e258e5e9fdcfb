// A folder for a spool that is gone after the test.

import { cp, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface SpoolFolder {
  /** Where the spool goes; not made yet. */
  readonly dir: string;
  /** The folder around it. */
  readonly parent: string;
  /** The spool as it lies there now, beside it: what a crash would leave. */
  copy(name: string, from?: string): Promise<string>;
  remove(): Promise<void>;
}

/** A new one. */
export async function makeSpoolFolder(): Promise<SpoolFolder> {
  const parent = await mkdtemp(join(tmpdir(), 'ferrule-spool-'));
  const dir = join(parent, 'spool');
  return {
    dir,
    parent,
    copy: async (name, from = dir) => {
      const target = join(parent, name);
      await copyAtOnce(from, target);
      return target;
    },
    remove: () => rm(parent, { recursive: true, force: true }),
  };
}

/** A crash leaves all files as of one moment: where LevelDB was at work meanwhile, the copy is made again. */
async function copyAtOnce(from: string, to: string): Promise<void> {
  for (let before = ''; ; ) {
    before = await stateOf(from);
    await rm(to, { recursive: true, force: true });
    const copied = await cp(from, to, { recursive: true }).then(
      () => true,
      () => false,
    );
    if (copied && before === (await stateOf(from))) return;
  }
}

async function stateOf(dir: string): Promise<string> {
  const names = (await readdir(dir)).sort();
  const states = names.map(async (name) => {
    const found = await stat(join(dir, name)).catch(() => undefined);
    return `${name} ${found?.size} ${found?.mtimeMs}`;
  });
  return (await Promise.all(states)).join('\n');
}
