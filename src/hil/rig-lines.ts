// Opens the lines of a rig's devices. Where there are no ptys, serial lines become TCP lines, and that is said once.

import path from 'node:path';
import type { Clock } from '../core/clock.js';
import { type openPty, PtyUnavailableError } from './pty.js';
import type { VirtualLine } from './virtual-line.js';
import { openPtyLine } from './virtual-pty-line.js';
import { openTcpLine } from './virtual-tcp-line.js';

export interface RigLinesOptions {
  /** For the symlinks that stand for the ptys. */
  readonly dir: string;
  readonly clock: Clock;
  readonly say: (line: string) => void;
  readonly openPty: typeof openPty;
}

export class RigLines {
  readonly #options: RigLinesOptions;
  #hasPtys = true;
  #opened = 0;

  constructor(options: RigLinesOptions) {
    this.#options = options;
  }

  /** A line on a pty, whose path stays the same over unplugs; on TCP where there are no ptys. */
  async serial(device: string): Promise<VirtualLine> {
    const { dir, clock, say, openPty: open } = this.#options;
    // Numbered: `a/b` and `a_b` must not meet.
    const symlink = path.join(dir, `tty${this.#opened++}-${device.replaceAll(/[^\w.-]/g, '_')}`);
    try {
      if (this.#hasPtys) return await openPtyLine({ clock, symlink, open });
    } catch (error) {
      if (!(error instanceof PtyUnavailableError)) throw error;
      this.#hasPtys = false;
      say(`ferrule/hil: ${error.message}; serial devices are on TCP instead`);
    }
    return this.tcp();
  }

  /** A line on a free port of loopback. */
  tcp(): Promise<VirtualLine> {
    return openTcpLine();
  }
}
