// A virtual serial line: the device's end is the master of a pty, the gateway opens the slave as a serial port.

import type { Clock } from '../core/clock.js';
import { Plug } from './plug.js';
import { openPty, type Pty } from './pty.js';
import type { VirtualLine } from './virtual-line.js';

export interface PtyLineOptions {
  readonly clock: Clock;
  /** Symlink that stands for the slave. Needed by devices that are unplugged: the next pty has another number. */
  readonly symlink?: string;
  /** For tests. */
  readonly open?: typeof openPty;
}

/** Opens a line on a pty. Rejects with PtyUnavailableError where there are none. */
export async function openPtyLine({ clock, symlink, open = openPty }: PtyLineOptions): Promise<VirtualLine> {
  let listener: (chunk: Buffer) => void = () => {};
  let pty: Pty | undefined;
  let lastWrite: Promise<unknown> = Promise.resolve();
  const plug = new Plug({
    putIn: async () => {
      pty = await open({ clock, ...(symlink !== undefined && { link: symlink }) });
      pty.onData((chunk) => listener(chunk));
    },
    pull: async () => {
      const old = pty;
      pty = undefined;
      await old?.unplug();
    },
  });
  await plug.putIn();
  const link = `serial:${pty?.path}`;
  return {
    link,
    get isOpen() {
      return pty?.isOpen ?? false;
    },
    send: (bytes) => {
      if (pty) lastWrite = pty.write(bytes);
    },
    flushed: () => lastWrite,
    onData: (next) => {
      listener = next;
    },
    unplug: () => plug.pull(),
    plug: () => plug.putIn(),
    close: () => plug.close(),
  };
}
