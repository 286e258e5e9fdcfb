// Between the wire and firmata-io, which trusts what it reads: a garbled message may name a pin that is not there, and it throws. On a
// serial line that is weather. Here it costs the message.

import { EventEmitter } from 'node:events';
import type { Duplex } from 'node:stream';

/** What firmata-io takes for its transport. */
export class Transport extends EventEmitter {
  readonly #wire: Duplex;

  /** `onGarbled`: what was thrown while a chunk was read; the rest of the chunk is lost. */
  constructor(wire: Duplex, onGarbled: (error: unknown) => void) {
    super();
    this.#wire = wire;
    wire.on('data', (chunk: Buffer) => {
      try {
        this.emit('data', chunk);
      } catch (error) {
        onGarbled(error);
      }
    });
  }

  write(bytes: Buffer, done: () => void): void {
    this.#wire.write(bytes, done);
  }
}
