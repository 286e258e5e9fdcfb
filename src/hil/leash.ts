// Preloaded into the gateway process of a rig (`node --import`): when the test process is gone, however that ended, this ends the
// gateway and removes the rig's folder. The rig holds the other end of stdin; nothing is ever written there, and the kernel
// closes it with the process.

import { rmSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { RIG_FOLDER } from './rig-folder.js';

const folder = process.cwd();

process.stdin.on('end', endAll);
process.stdin.on('error', endAll);
process.stdin.resume();
// A pipe is a socket here: it must not keep alive a gateway that has ended by itself.
if ('unref' in process.stdin) process.stdin.unref();

function endAll(): void {
  try {
    if (path.basename(folder).startsWith(RIG_FOLDER)) rmSync(folder, { recursive: true, force: true });
  } finally {
    process.kill(process.pid, 'SIGKILL');
  }
}
