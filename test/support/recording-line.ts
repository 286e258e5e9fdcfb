// The device's end of a line that remembers what was done with it, for tests of what stands above a VirtualLine.

import type { VirtualLine } from '../../src/hil/virtual-line.js';

export class RecordingLine implements VirtualLine {
  readonly link = 'tcp://127.0.0.1:1';
  /** What was sent, as Latin-1, and what else was called: `<unplug>`, `<plug>`. */
  readonly did: string[] = [];
  #listener: (chunk: Buffer) => void = () => {};

  send(bytes: Uint8Array | string): void {
    this.did.push(Buffer.from(bytes).toString('latin1'));
  }

  onData(listener: (chunk: Buffer) => void): void {
    this.#listener = listener;
  }

  /** As if the gateway had written it. */
  hear(text: string): void {
    this.#listener(Buffer.from(text, 'latin1'));
  }

  async unplug(): Promise<void> {
    this.did.push('<unplug>');
  }

  async plug(): Promise<void> {
    this.did.push('<plug>');
  }

  async close(): Promise<void> {
    this.did.push('<close>');
  }
}
