// One thing on a board that has a name, a value, and maybe takes commands: a pin, or a component on some pins.

import type { ReadingValue } from 'ferrule/driver';

export interface BoardChannel {
  /** What is read there, or was last commanded; null where neither is known. */
  value(): ReadingValue;
  /** Carries out what a command wants; answers the sentence why not. Absent: it takes no commands. */
  set?(wanted: unknown): string | undefined;
}

/** Makes `changed` known to a channel whose value moves by itself. */
export type OnChange = () => void;

/** Calls `changed` when a number has moved by `threshold` since the last time, or at all for other values. */
export function changeFilter(changed: OnChange, threshold = 0): (value: ReadingValue) => void {
  let last: ReadingValue | undefined;
  return (value) => {
    const isSame =
      typeof value === 'number' && typeof last === 'number'
        ? Math.abs(value - last) < Math.max(threshold, Number.EPSILON)
        : JSON.stringify(value) === JSON.stringify(last);
    if (isSame) return;
    last = value;
    changed();
  };
}
