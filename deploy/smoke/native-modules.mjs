// Loads every native dependency of the gateway and does a little with it, on the architecture that runs this file. Lies beside
// node_modules when it is run (arm64.sh copies it there).

import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';

const require = createRequire(import.meta.url);

async function level() {
  const { ClassicLevel } = require('classic-level');
  const folder = mkdtempSync(path.join(tmpdir(), 'ferrule-level-'));
  try {
    const db = new ClassicLevel(folder);
    await db.put('k', 'v');
    if ((await db.get('k')) !== 'v') throw new Error('what was put is not there');
    await db.close();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function libc() {
  const koffi = require('koffi');
  const pid = koffi.load(null).func('int getpid(void)')();
  if (pid !== process.pid) throw new Error(`getpid said ${pid}, not ${process.pid}`);
}

/** No port is needed to see that the binding is this architecture's own: it says why it cannot open one. */
async function serial() {
  const { LinuxBinding } = require('@serialport/bindings-cpp');
  const opened = LinuxBinding.open({ path: '/dev/ferrule-no-such-port', baudRate: 9600 });
  const reason = await opened.then(() => 'opened', (error) => error.message);
  if (!/No such file/.test(reason)) throw new Error(`open said: ${reason}`);
}

for (const [name, use] of [['classic-level', level], ['koffi', libc], ['@serialport/bindings-cpp', serial]]) {
  await use();
  process.stdout.write(`${name}: works on ${process.platform}-${process.arch}\n`);
}
