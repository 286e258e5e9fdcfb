// What the demo tells, whoever shows it: `live-view.ts` on a terminal, `plain-view.ts` where the output is piped.

import type { Happening } from './device-board.js';
import type { LogLine } from './line-log.js';

export interface View {
  /** Printed before anything else. */
  intro(lines: readonly string[]): void;
  happened(happenings: readonly Happening[]): void;
  log(line: LogLine): void;
  /** Shows the last state and gives the terminal back. Idempotent. */
  end(): void;
}
