// A map of names to things on a board, as both drivers have it in their options: names that serve as channels, no pin twice.

import { z } from 'ferrule/driver';
import { type Pin, sharedPins } from './pin.js';

const NAME = /^[\w.-]+$/;

/** `what`: "pin", "component". */
export function named<T extends z.ZodType>(what: string, thing: T, pinsOf: (value: z.output<T>) => Pin[]) {
  return z.record(z.string(), thing).superRefine((things, ctx) => {
    const entries = Object.entries(things) as [string, z.output<T>][];
    const complain = (message: string, path: string[] = []): void => ctx.addIssue({ code: 'custom', message, path });
    if (entries.length === 0) complain(`name at least one ${what}`);
    for (const [name] of entries) {
      if (!NAME.test(name)) complain('a name has letters, digits, "_", "-" and "."', [name]);
    }
    const users = entries.map(([name, value]) => ({ name, pins: pinsOf(value) }));
    for (const shared of sharedPins(users)) complain(`two of them on ${shared}`);
  });
}
