// A FrameSink that writes down what it is told, one line per event, and can tell later whether handed out memory has changed.

import type { FrameSink, JunkReason } from '../../src/device/framer.js';

interface Slice {
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
  readonly copy: Buffer;
}

export class FrameLog implements FrameSink {
  /** `frame abc`, `partial ab`, `too-long abc +7`: reason, bytes as latin1 text, dropped bytes if any. */
  readonly events: string[] = [];
  readonly #slices: Slice[] = [];

  frame(bytes: Buffer, start: number, end: number): void {
    this.#add('frame', bytes, start, end, 0);
  }

  junk(bytes: Buffer, start: number, end: number, reason: JunkReason, dropped: number): void {
    this.#add(reason, bytes, start, end, dropped);
  }

  /** The frames alone, in order. */
  get frames(): Buffer[] {
    return this.#slices.filter((_, i) => this.events[i]?.startsWith('frame ')).map(({ copy }) => copy);
  }

  /** True while no slice that was handed out has been written to since. */
  get isIntact(): boolean {
    return this.#slices.every(({ bytes, start, end, copy }) => copy.equals(bytes.subarray(start, end)));
  }

  #add(kind: string, bytes: Buffer, start: number, end: number, dropped: number): void {
    if (start < 0 || end < start || end > bytes.length)
      throw new RangeError(`slice ${start}..${end} of ${bytes.length}`);
    const copy = Buffer.from(bytes.subarray(start, end));
    this.events.push(`${kind} ${copy.toString('latin1')}${dropped > 0 ? ` +${dropped}` : ''}`);
    this.#slices.push({ bytes, start, end, copy });
  }
}
