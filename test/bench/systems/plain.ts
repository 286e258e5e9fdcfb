// The peer that most people write: mqtt.js, serialport and net in one script; see plain-gateway.ts.

import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { System } from '../system.js';

const SCRIPT = fileURLToPath(new URL('../plain-gateway.js', import.meta.url));

export const plain: System = {
  name: 'mqtt.js script',
  unfit: () => undefined,
  prepare(setup) {
    const file = path.join(setup.dir, 'plain.json');
    writeFileSync(file, JSON.stringify(setup));
    return { command: process.execPath, args: [SCRIPT, file] };
  },
};
