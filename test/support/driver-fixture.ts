// Recordings of devices: `test/devices/fixtures/*`. Read from the source tree, as the compiler copies no text files.

import { readFileSync } from 'node:fs';

/** The bytes of a recording, by file name. */
export function driverFixture(file: string): Buffer {
  return readFileSync(new URL(`../../../test/devices/fixtures/${file}`, import.meta.url));
}
