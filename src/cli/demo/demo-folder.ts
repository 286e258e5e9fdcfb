// The folder of a running demo, below the system's temporary folder: its config lies there, so that `ferrule status -c FILE` and
// the like work beside it. Gone with the demo.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

export interface DemoFolder {
  readonly path: string;
  /** Writes the config there; answers the file. */
  write(config: string): Promise<string>;
  remove(): Promise<void>;
}

/** Makes it, for nobody else to read. Rejects with the system's error where no temporary files can be made. */
export async function makeDemoFolder(): Promise<DemoFolder> {
  const dir = await mkdtemp(path.join(tmpdir(), 'ferrule-'));
  return {
    path: dir,
    write: async (config) => {
      const file = path.join(dir, 'demo.yaml');
      await writeFile(file, config);
      return file;
    },
    remove: () => rm(dir, { recursive: true, force: true }),
  };
}
