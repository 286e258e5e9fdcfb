// Tests that need a spool on a folder of its own (spool-rig.ts), closed and gone at the end however they end.

import test, { type ExecutionContext } from 'ava';
import type { SpoolOptions } from '../../src/spool/spool.js';
import { makeSpoolRig, type SpoolRig } from './spool-rig.js';

/** A test with a rig whose spools are opened with these options. */
export function spoolTest(
  title: string,
  options: Partial<SpoolOptions>,
  run: (t: ExecutionContext, rig: SpoolRig) => Promise<void>,
): void {
  test(title, async (t) => {
    const rig = await makeSpoolRig(options);
    try {
      await run(t, rig);
    } finally {
      await rig.close();
    }
  });
}
