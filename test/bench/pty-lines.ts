// Serial devices on ptys, at the pace of a UART: 16 bytes at a time, each write when its last bit would have come over a line of
// 115200 baud. The stamp of a line is written with its last 16 bytes.

import { openPty, type Pty } from '../../src/hil/pty.js';
import { monotonicUs, STAMPED_BYTES, stampedLine } from './stamped-line.js';

/** 115200 baud, 8N1: ten bits a byte. */
const BYTES_PER_SECOND = 11_520;
/** What a UART with a FIFO hands over at once. */
const WRITE_BYTES = 16;
const WRITES_PER_LINE = STAMPED_BYTES / WRITE_BYTES;
const MS_PER_WRITE = (1000 * WRITE_BYTES) / BYTES_PER_SECOND;
/** Timers of Node are no finer. */
const TICK_MS = 1;

interface SerialDevice {
  pty: Pty;
  readonly link: string;
  line: Buffer;
  lines: number;
  writes: number;
  /** So that eight devices do not write at the same moment. */
  readonly phase: number;
}

export class PtyLines {
  readonly #devices: SerialDevice[] = [];
  #timer: NodeJS.Timeout | undefined;
  #dropped = 0;

  /** Opens one pty per link; `links` are symlinks to make. */
  async open(links: readonly string[]): Promise<void> {
    for (const [index, link] of links.entries()) {
      const pty = await openPty({ link });
      const phase = (index * MS_PER_WRITE) / links.length;
      this.#devices.push({ pty, link, line: Buffer.alloc(0), lines: 0, writes: 0, phase });
    }
  }

  /** Lines written by each device. */
  get sent(): Map<number, number> {
    return new Map(this.#devices.map(({ lines }, device) => [device, lines]));
  }

  /** Writes that nobody was there to take, or that did not fit. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Resolves once every pty is open on the other side. */
  async opened(): Promise<void> {
    while (this.#devices.some(({ pty }) => !pty.isOpen)) await new Promise((resolve) => setTimeout(resolve, 5));
  }

  /** All devices talk, at the pace of the baud rate. */
  pace(): void {
    const begun = performance.now();
    const before = this.#devices.map(({ writes }) => writes);
    this.#timer = setInterval(() => {
      const passed = performance.now() - begun;
      for (const [index, device] of this.#devices.entries()) {
        const due = Math.floor((passed - device.phase) / MS_PER_WRITE) + (before[index] ?? 0);
        while (device.writes < due) this.#writePart(index, device);
      }
    }, TICK_MS);
  }

  /** Whole lines, at every `everyMs`: devices that somebody is about to open. */
  talk(everyMs: number): void {
    this.#timer = setInterval(() => {
      for (const [index, device] of this.#devices.entries()) {
        device.pty.write(stampedLine(index, device.lines, monotonicUs())).then((outcome) => this.#note(outcome));
        device.lines += 1;
      }
    }, everyMs);
  }

  /** Sends back what comes. */
  echo(): void {
    for (const { pty } of this.#devices) pty.onData((chunk) => void pty.write(chunk));
  }

  /** Goes on to the ends of the lines, then no more. */
  stop(): void {
    clearInterval(this.#timer);
    for (const [index, device] of this.#devices.entries()) {
      while (device.writes % WRITES_PER_LINE !== 0) this.#writePart(index, device);
    }
  }

  async unplug(index: number): Promise<void> {
    await this.#devices[index]?.pty.unplug();
  }

  /** A new pty under the old link; gives the time at which it was there. */
  async plug(index: number): Promise<number> {
    const device = this.#devices[index];
    if (device === undefined) throw new Error(`there is no device ${index}`);
    device.pty = await openPty({ link: device.link });
    return monotonicUs();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#devices.map(({ pty }) => pty.close()));
  }

  #writePart(index: number, device: SerialDevice): void {
    const part = device.writes % WRITES_PER_LINE;
    if (part === 0) device.line = stampedLine(index, device.lines, 0);
    if (part === WRITES_PER_LINE - 1) device.line = stampedLine(index, device.lines, monotonicUs());
    const from = part * WRITE_BYTES;
    void device.pty.write(device.line.subarray(from, from + WRITE_BYTES)).then((outcome) => this.#note(outcome));
    device.writes += 1;
    if (part === WRITES_PER_LINE - 1) device.lines += 1;
  }

  #note(outcome: 'taken' | 'dropped'): void {
    if (outcome === 'dropped') this.#dropped += 1;
  }
}
