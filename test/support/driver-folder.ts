// A user's own `drivers_dir`, as `npm link ferrule` leaves it: files in a folder in which `ferrule/driver` can be imported.

import { mkdirSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';
import { folderFor } from './ferrule-command.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/** Makes one of drivers by name: the code of `create`, e.g. `() => ({ decode: () => undefined })`. Removed with the test. */
export function driversFor(t: ExecutionContext, drivers: Readonly<Record<string, string>>): string {
  const files = Object.entries(drivers).map(([name, create]) => [`${name}.js`, driverCode(create)]);
  const folder = folderFor(t, { ...Object.fromEntries(files), 'package.json': '{"type":"module"}' });
  mkdirSync(path.join(folder, 'node_modules'));
  symlinkSync(ROOT, path.join(folder, 'node_modules/ferrule'));
  return folder;
}

function driverCode(create: string): string {
  return `import { defineDriver, z } from 'ferrule/driver';
export default defineDriver({ kind: 'framed', summary: 'of a test', options: z.strictObject({}), create: ${create} });
`;
}
