// What the demo tells, whoever shows it: `live-view.ts` on a terminal, `plain-view.ts` where the output is piped.

import type { Happening } from './device-board.js';
import type { Introduction } from './introduction.js';
import type { LogLine } from './line-log.js';

export interface View {
  /** Shown before anything else. */
  intro(intro: Introduction): void;
  happened(happenings: readonly Happening[]): void;
  log(line: LogLine): void;
  /** Something has happened to a device itself, behind its wires. */
  hardware(device: string, text: string): void;
  /** Shows the last state and gives the terminal back. Idempotent. */
  end(): void;
}
