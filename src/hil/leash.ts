// Preloaded into the gateway process of a rig (`node --import`): when the test process is gone, however that ended, the gateway
// ends too. leash-worker.ts sees to it, in a thread of its own: a driver that never comes back holds the main thread for ever, and
// then nobody there hears of anything.

import { Worker } from 'node:worker_threads';

const worker = new Worker(new URL('./leash-worker.js', import.meta.url), {
  name: 'leash',
  argv: [],
  execArgv: [], // else leash.js would be preloaded there as well
  env: {},
});
worker.unref(); // it must not keep alive a gateway that has ended by itself
