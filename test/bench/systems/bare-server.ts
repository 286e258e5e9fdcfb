// No gateway at all: a `net` server that reads and forgets. What a connection costs in Node before anybody does anything with it;
// memory per connection is counted from here.

import type { System } from '../system.js';

const SCRIPT =
  "require('node:net').createServer((s) => s.on('error', () => {}).resume()).listen(+process.argv[1], '127.0.0.1')";

export const bareServer: System = {
  name: 'bare net server',
  unfit: (abilities) => (abilities.includes('memory') ? undefined : 'relays nothing'),
  prepare({ listen }) {
    return { command: process.execPath, args: ['-e', SCRIPT, `${listen?.port ?? 0}`] };
  },
};
