// Entry of the Worker that leash.ts starts in the gateway process of a rig: when the test process is gone it removes the rig's folder
// and ends the gateway, whatever the main thread is doing. The rig holds the other end of descriptor 0; nothing is ever written
// there, and the kernel closes it with the process.
//
// Waited for by the event loop: a thread in a blocking read cannot be terminated, and the gateway would not end by itself.

import { rmSync } from 'node:fs';
import { Socket } from 'node:net';
import path from 'node:path';
import process from 'node:process';
import { RIG_FOLDER } from './rig-folder.js';

const STDIN = 0;

const folder = process.cwd();
const rig = new Socket({ fd: STDIN, readable: true, writable: false }); // a pipe is a socket here
rig.on('end', endAll);
rig.on('error', endAll);
rig.resume();

function endAll(): void {
  try {
    if (path.basename(folder).startsWith(RIG_FOLDER)) rmSync(folder, { recursive: true, force: true });
  } finally {
    process.kill(process.pid, 'SIGKILL');
  }
}
