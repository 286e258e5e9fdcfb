// A pty under a name that nobody else gets. The kernel gives the number of one that is closed to the next that is opened, whoever opens
// it: a gateway that still waits for `/dev/pts/9` would take the device of a test that runs beside.

import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { openPty, type Pty } from '../../src/hil/pty.js';

const folder = mkdtempSync(path.join(tmpdir(), 'ferrule-pty-'));
chmodSync(folder, 0o755); // for gateways that are not root
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
let opened = 0;

/** Opens a pty; its `path` is a symlink of this process. */
export function openNamedPty(): Promise<Pty> {
  opened += 1;
  return openPty({ link: path.join(folder, `tty${opened}`) });
}
