// How a pin is named in options: a number as printed on the board, or `A0` for an analog input.

import { z } from 'ferrule/driver';

const WORDS = 'expected a pin: a number as printed on the board, or A0, A1, ... for an analog input';

/** A number, or `A0` to `A15`. `"13"` is taken as 13. */
export const pinSchema = z.union(
  [
    z.int(WORDS).min(0, WORDS).max(127, WORDS),
    z
      .string(WORDS)
      .regex(/^(A\d{1,2}|\d{1,3})$/, WORDS)
      .transform((text) => (text.startsWith('A') ? text : Number(text))),
  ],
  WORDS,
);
export type Pin = number | string;

/** The pins that are used twice, each with who uses it: `pin 13: led and relay`. */
export function sharedPins(users: readonly { readonly name: string; readonly pins: readonly Pin[] }[]): string[] {
  const byPin = new Map<Pin, string[]>();
  for (const { name, pins } of users) {
    for (const pin of pins) byPin.set(pin, [...(byPin.get(pin) ?? []), name]);
  }
  return [...byPin].filter(([, names]) => names.length > 1).map(([pin, names]) => `pin ${pin}: ${names.join(' and ')}`);
}
