// A process of its own that fills a spool and prints the number of each message that an append has resolved for, until it is
// killed: `node spool-appender.js <dir>`. For tests of what a kill -9 leaves.

import { writeSync } from 'node:fs';
import { systemClock } from '../../src/core/clock.js';
import { silentLog } from '../../src/core/log.js';
import { Spool } from '../../src/spool/spool.js';
import { recordOf } from './spool-records.js';

const spool = new Spool({
  clock: systemClock,
  log: silentLog,
  dir: process.argv[2] ?? '',
  maxBytes: 64 * 1024 * 1024,
  whenFull: 'drop-newest',
  maxAgeMs: 0,
  sync: false,
  onDrop: () => {},
});
await spool.open();
for (let number = 0; ; number += 3) {
  await spool.append([recordOf('a', [`${number}`, `${number + 1}`, `${number + 2}`.padEnd(number % 4000, '.')])]);
  writeSync(1, `${number + 2}\n`);
}
