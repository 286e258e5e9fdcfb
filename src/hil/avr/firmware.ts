// Where to find firmware: real programs of the Arduino world, compiled for the Uno, lie in the package `avrgirl-arduino`. It is a
// development dependency: a user who wants the firmware without a HEX file of their own installs it.

import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const PACKAGE = 'avrgirl-arduino';

/** Path of StandardFirmata for the Uno (Firmata 2.5 at 57600 baud); undefined where the package is not installed. */
export function standardFirmataHex(): string | undefined {
  return findHex('StandardFirmata.cpp.hex');
}

/** Path of the Arduino example Blink (pin 13, a second on and a second off); undefined where the package is not installed. */
export function blinkHex(): string | undefined {
  return findHex('Blink.cpp.hex');
}

function findHex(name: string): string | undefined {
  try {
    const main = createRequire(import.meta.url).resolve(`${PACKAGE}/package.json`);
    const path = join(dirname(main), 'junk', 'hex', 'uno', name);
    return existsSync(path) ? path : undefined;
  } catch {
    return undefined; // not installed
  }
}
