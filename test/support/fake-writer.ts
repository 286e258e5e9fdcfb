// A PacketWriter that keeps what was written as parsed packets; its socket takes bytes only when told to.

import type { IPublishPacket } from 'mqtt';
import type { PacketWriter } from '../../src/uplink/outbox.js';
import { parsePublishes } from './mqtt-parse.js';

export class FakeWriter implements PacketWriter {
  readonly protocolVersion: 4 | 5;
  readonly maximumPacketSize: number;
  /** Everything written, in order. */
  readonly written: IPublishPacket[] = [];
  /** Number of socket writes. */
  writes = 0;
  buffered = 0;
  /** The system takes all of a write before it returns. */
  takesAtOnce = false;
  /** Memory that packets came in. */
  readonly memory = new Set<ArrayBufferLike>();
  #dones: (() => void)[] = [];

  constructor(protocolVersion: 4 | 5 = 5, maximumPacketSize = Number.POSITIVE_INFINITY) {
    this.protocolVersion = protocolVersion;
    this.maximumPacketSize = maximumPacketSize;
  }

  writePackets(packets: Buffer, done: () => void): void {
    this.written.push(...parsePublishes(Buffer.from(packets), this.protocolVersion));
    this.writes++;
    this.memory.add(packets.buffer);
    if (this.takesAtOnce && this.buffered === 0) {
      packets.fill(0); // it is the next one's now
      done();
      return;
    }
    this.buffered += packets.length;
    this.#dones.push(done);
  }

  /** The system takes all bytes: buffers go back to the pool. */
  flush(): void {
    this.buffered = 0;
    const dones = this.#dones;
    this.#dones = [];
    for (const done of dones) done();
  }
}
