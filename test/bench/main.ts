// `npm run bench`: prints what the built gateway costs on this machine, as a table.

import { benchStart } from './start.js';

const figures = await benchStart();
for (const [name, value] of Object.entries(figures)) process.stdout.write(`${name.padEnd(36)} ${value}\n`);
process.exit(0);
