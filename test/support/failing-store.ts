// A store on the disk that refuses when it is told to, as a full or broken disk would.

import type { OpenStore } from '../../src/spool/disk.js';
import { openLevelStore } from '../../src/spool/level-store.js';
import type { Store } from '../../src/spool/store.js';
import { StoreError, type StoreTrouble } from '../../src/spool/store-error.js';

export interface Faults {
  /** What the calls throw; undefined: they work. */
  open?: StoreTrouble | undefined;
  write?: StoreTrouble | undefined;
  read?: StoreTrouble | undefined;
  /** A write that throws has come through all the same. */
  writesAnyway?: boolean;
  /** Messages that it says were lost before it was opened. */
  lost?: number;
  /** Times that it was opened. */
  opened: number;
}

/** An opener of such stores, and the switch of its faults. */
export function failingStores(): { faults: Faults; openStore: OpenStore } {
  const faults: Faults = { opened: 0 };
  const openStore: OpenStore = async (dir, options) => {
    check(faults.open);
    const store = await openLevelStore(dir, options);
    faults.opened += 1;
    return withFaults(store, faults);
  };
  return { faults, openStore };
}

function withFaults(store: Store, faults: Faults): Store {
  const write = async (run: () => Promise<void>): Promise<void> => {
    if (faults.write === undefined || faults.writesAnyway === true) await run();
    check(faults.write);
  };
  return {
    get totals() {
      return store.totals;
    },
    get nextSeq() {
      return store.nextSeq;
    },
    lost: faults.lost ?? store.lost,
    append: (blocks) => write(() => store.append(blocks)),
    remove: (blocks) => write(() => store.remove(blocks)),
    replace: (block, by) => write(() => store.replace(block, by)),
    read: async (seq) => {
      check(faults.read);
      return store.read(seq);
    },
    reclaim: () => store.reclaim(),
    recount: () => store.recount(),
    usage: () => store.usage(),
    close: () => store.close(),
  };
}

function check(trouble: StoreTrouble | undefined): void {
  if (trouble !== undefined) throw new StoreError(trouble, `the spool: ${trouble} was asked for`);
}
