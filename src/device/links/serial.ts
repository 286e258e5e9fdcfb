// A serial port, by path. Opened through serialport's Linux binding (settings and exclusive lock), read through a `TtyReader`,
// written through a `TtyDescriptor`. The binding is loaded at the first open, so that a gateway with TCP devices only never pays for it.
//
// Why not `tcdrain` after a write: it blocks one of libuv's four pool threads until the line took everything, for ever where
// flow control or a hung USB device holds the line, and then DNS and files stop for all devices. Instead a write is
// done when the driver has fewer than 256 bytes left (that is when poll says "writable") and those have had the time that
// they need at this baud rate.

import type { LinuxOpenOptions, LinuxPortBinding } from '@serialport/bindings-cpp';
import type { SerialLinkConfig } from '../../config/link-schema.js';
import { messageOf } from '../../core/errors.js';
import { type Link, LinkError, type LinkOpener, type LinkTrouble, type WriteOutcome } from '../link.js';
import { BaseLink, type BaseLinkOptions } from './base-link.js';
import type { LinkDeps } from './link-deps.js';
import { type NodeIdentity, nodeAppears, nodeIdentity } from './node-watch.js';
import { checkPort, explainOpenError } from './serial-check.js';
import { TtyDescriptor } from './tty-descriptor.js';
import { TtyReader } from './tty-reader.js';

const DEFAULT_BAUD_RATE = 9600;
/** Linux calls a tty writable when its driver holds fewer bytes than this (WAKEUP_CHARS in drivers/tty/n_tty.c). */
const DRIVER_REST_BYTES = 256;

/** What udev mends a moment later, in steps: the node, its owner and mode. */
const MAY_CHANGE: ReadonlySet<LinkTrouble> = new Set(['missing', 'no-permission']);

/** How the line is set: the part that serial and usb links share. */
export type LineSettings = Pick<
  SerialLinkConfig,
  'baud_rate' | 'data_bits' | 'parity' | 'stop_bits' | 'rtscts' | 'idle_timeout'
>;

/** An opener for `serial:/dev/...`. */
export function serialOpener(config: SerialLinkConfig, deps: LinkDeps): LinkOpener {
  const name = `serial ${config.path}`;
  const { path } = config;
  /** What we had open, that nothing was there, or what was not ours; undefined for a node that could not be opened otherwise. */
  let known: NodeIdentity | undefined;
  return {
    name,
    async open(signal): Promise<Link> {
      const found = nodeIdentity(path);
      try {
        const link = await openSerial(path, name, config, deps, signal);
        known = found;
        return link;
      } catch (error) {
        known = error instanceof LinkError && MAY_CHANGE.has(error.trouble) ? found : undefined;
        throw error;
      }
    },
    changed: (signal) => nodeAppears({ path, ...(known !== undefined && { known }) }, deps, signal),
  };
}

/** Opens one port. Rejects with a LinkError that says what stands in the way. */
export async function openSerial(
  path: string,
  name: string,
  line: LineSettings,
  deps: LinkDeps,
  signal: AbortSignal,
): Promise<Link> {
  await checkPort(path, deps);
  const { LinuxBinding } = await loadBinding(path);
  if (signal.aborted) throw new LinkError('closed', `opening ${path} was called off`);
  const port = await LinuxBinding.open(openOptions(path, line)).catch((error: unknown) => {
    throw explainOpenError(path, messageOf(error), settingsText(line), error);
  });
  if (signal.aborted) {
    await port.close();
    throw new LinkError('closed', `opening ${path} was called off`);
  }
  try {
    return new SerialLink(port, line, { name, clock: deps.clock, idleTimeoutMs: line.idle_timeout });
  } catch (error) {
    await port.close();
    throw explainOpenError(path, messageOf(error), settingsText(line), error);
  }
}

/** It has a native part, of which the package brings one per system. */
async function loadBinding(path: string): Promise<typeof import('@serialport/bindings-cpp')> {
  try {
    return (await import('@serialport/bindings-cpp')).default;
  } catch (cause) {
    const words = `the native part of serialport for ${process.arch} is not there: install Ferrule on this machine, with \`npm ci\``;
    throw new LinkError('io-error', `cannot open ${path}: ${words} (${messageOf(cause)})`, { cause });
  }
}

function openOptions(path: string, line: LineSettings): LinuxOpenOptions {
  return {
    path,
    baudRate: line.baud_rate ?? DEFAULT_BAUD_RATE,
    dataBits: line.data_bits,
    parity: line.parity,
    stopBits: line.stop_bits,
    rtscts: line.rtscts,
    lock: true,
  };
}

/** `9600 8N1`, for messages. */
function settingsText(line: LineSettings): string {
  const flow = line.rtscts ? ' rtscts' : '';
  const parity = line.parity.charAt(0).toUpperCase();
  return `${line.baud_rate ?? DEFAULT_BAUD_RATE} ${line.data_bits}${parity}${line.stop_bits}${flow}`;
}

interface Outgoing {
  readonly bytes: Uint8Array;
  readonly done: (outcome: WriteOutcome) => void;
  offset: number;
}

class SerialLink extends BaseLink {
  /** By RTS, which the kernel drops once what it keeps for us is full. */
  readonly canPause: boolean;
  readonly isSerial = true;
  readonly #reader: TtyReader;
  readonly #tty: TtyDescriptor;
  readonly #msPerByte: number;
  #outgoing: Outgoing[] = [];

  constructor(port: LinuxPortBinding, line: LineSettings, options: BaseLinkOptions) {
    super(options);
    const bitsPerByte = 1 + line.data_bits + (line.parity === 'none' ? 0 : 1) + line.stop_bits;
    this.#msPerByte = (bitsPerByte * 1000) / (line.baud_rate ?? DEFAULT_BAUD_RATE);
    this.canPause = line.rtscts;
    this.#reader = new TtyReader(port.fd ?? -1, {
      onBytes: (bytes) => this.deliver(bytes),
      onGone: () => this.#hangUp(),
    });
    this.#tty = new TtyDescriptor(port, { onReadable: () => {}, onWritable: () => this.#pump() });
  }

  protected startReading(): void {
    this.#reader.resume();
  }

  protected stopReading(): void {
    this.#reader.pause();
  }

  protected send(bytes: Uint8Array, done: (outcome: WriteOutcome) => void): void {
    this.#outgoing.push({ bytes, done, offset: 0 });
    if (this.#outgoing.length === 1) this.#pump();
  }

  protected async release(): Promise<void> {
    const isHeld = this.#outgoing.length > 0 || this.canPause;
    this.#outgoing = [];
    this.#reader.close();
    // Closing waits up to 30 s for output that flow control holds back; what is unsent by now was reported as lost.
    if (isHeld) await this.#tty.discard();
    await this.#tty.close();
  }

  /** Moves the first write on: hands over what fits, then waits until the driver has nearly sent it. */
  #pump(): void {
    const write = this.#outgoing[0];
    if (!write || this.isLost) return;
    if (write.offset === write.bytes.length) {
      this.#finish(write);
      return;
    }
    const taken = this.#tty.write(write.bytes, write.offset);
    if (taken === 'gone') {
      this.#hangUp();
      return;
    }
    write.offset += taken;
    this.#tty.wantWrite();
  }

  #finish(write: Outgoing): void {
    const restMs = Math.ceil(Math.min(write.bytes.length, DRIVER_REST_BYTES) * this.#msPerByte);
    this.clock.after(restMs, () => {
      if (this.isLost) return;
      this.#outgoing.shift();
      write.done('written');
      this.#pump();
    });
  }

  #hangUp(): void {
    this.#readRest();
    this.lose('hang-up', `${this.name}: the port went away (unplugged, or its other end was closed)`);
  }

  /** A failed write is often the first sign; what had arrived before comes before the loss. */
  #readRest(): void {
    for (let chunk = this.#tty.read(); chunk instanceof Buffer; chunk = this.#tty.read()) this.deliver(chunk);
  }
}
