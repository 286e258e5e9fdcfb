// A spool on a folder of its own, with a clock that stands still, and a list of what it dropped and said.

import type { SpoolBlock } from '../../src/spool/record.js';
import { Spool, type SpoolOptions } from '../../src/spool/spool.js';
import { FakeClock } from './fake-clock.js';
import { RecordingLog } from './recording-log.js';
import { makeSpoolFolder, type SpoolFolder } from './spool-folder.js';

export interface SpoolRig {
  readonly clock: FakeClock;
  readonly log: RecordingLog;
  readonly folder: SpoolFolder;
  /** `device: messages, cause`, one for each call. */
  readonly drops: string[];
  /** Messages told as dropped. */
  readonly dropped: () => number;
  /** An open spool on the folder, or on `dir`. */
  open(options?: Partial<SpoolOptions>): Promise<Spool>;
  /** Closes all spools and removes the folder. */
  close(): Promise<void>;
}

export async function makeSpoolRig(defaults: Partial<SpoolOptions> = {}): Promise<SpoolRig> {
  const clock = new FakeClock();
  const log = new RecordingLog();
  const folder = await makeSpoolFolder();
  const drops: string[] = [];
  const spools: Spool[] = [];
  let dropped = 0;
  const onDrop: SpoolOptions['onDrop'] = (device, messages, cause) => {
    drops.push(`${device}: ${messages}, ${cause}`);
    dropped += messages;
  };
  return {
    clock,
    log,
    folder,
    drops,
    dropped: () => dropped,
    open: async (options = {}) => {
      const spool = new Spool({
        ...{
          clock,
          log,
          dir: folder.dir,
          maxBytes: 8 * 1024 * 1024,
          whenFull: 'drop-oldest',
          maxAgeMs: 0,
          sync: false,
        },
        ...{ onDrop, ...defaults, ...options },
      });
      spools.push(spool);
      await spool.open();
      return spool;
    },
    close: async () => {
      for (const spool of spools) await spool.close();
      await folder.remove();
    },
  };
}

/** All blocks that it has not handed out. */
export async function takeAll(spool: Spool): Promise<SpoolBlock[]> {
  const blocks: SpoolBlock[] = [];
  for (let block = await spool.next(); block !== undefined; block = await spool.next()) blocks.push(block);
  return blocks;
}
