// Root may read and open everything, so that nothing is ever forbidden. A process started with this environment is `nobody`
// before its first line runs; its working folder is opened to it, since folders of tests are made for their owner alone.

import { chmodSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';
import { folderFor } from './ferrule-command.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

const SCRIPT = `require('node:fs').chmodSync(process.cwd(), 0o755);
process.setgroups([]);
process.setgid(65534);
process.setuid(65534);
`;

/** Why tests cannot drop root here; undefined where they can, or need not. */
export const cannotDropRoot =
  process.getuid?.() !== 0 || [ROOT, path.join(ROOT, 'dist')].every(isOpenToAll)
    ? undefined
    : 'skipped: this checkout is for root alone';

/** Environment for a Node process that shall not be root; empty where this one is not root either. */
export function withoutRoot(t: ExecutionContext): Record<string, string> {
  if (process.getuid?.() !== 0) return {};
  const dir = folderFor(t, { 'drop-root.cjs': SCRIPT });
  chmodSync(dir, 0o755);
  return { NODE_OPTIONS: `--require ${path.join(dir, 'drop-root.cjs')}` };
}

function isOpenToAll(folder: string): boolean {
  return (statSync(folder).mode & 0o005) === 0o005;
}
