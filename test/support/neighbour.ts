// The healthy device beside the one in trouble: a TCP device that says 50 numbered lines a second from the moment the gateway
// has come to it. What it has lost at the end is what the trouble of another device has cost: nothing, or a test fails.

import type { ExecutionContext } from 'ava';
import { eventually } from './eventually.js';
import { type Tally, tally } from './numbered-lines.js';
import { type PacedWriter, startPacedWriter } from './paced-writer.js';
import type { Subscriber } from './subscriber.js';
import { startTcpDevice } from './tcp-device.js';

const LINE_BYTES = 32;
const LINES_PER_SECOND = 50;

export interface Neighbour {
  /** Its entry in the config. */
  readonly device: { readonly driver: 'lines'; readonly link: string };
  /** Starts to talk once the gateway has connected. */
  talk(): Promise<void>;
  /** Falls silent, waits until its last line is at `subscriber`, and fails the test unless every line came once, in order. */
  mustBeWhole(t: ExecutionContext, subscriber: Subscriber, topic: string): Promise<Tally>;
}

/** Makes one; closed with the test. */
export async function startNeighbour(t: ExecutionContext): Promise<Neighbour> {
  const device = await startTcpDevice();
  t.teardown(() => device.close());
  let writer: PacedWriter | undefined;
  return {
    device: { driver: 'lines', link: `tcp://127.0.0.1:${device.port}` },
    async talk() {
      const socket = await device.connection();
      const write = (bytes: Buffer): boolean => {
        if (!socket.destroyed) socket.write(bytes);
        return !socket.destroyed;
      };
      writer = startPacedWriter({ bytesPerSecond: LINE_BYTES * LINES_PER_SECOND, lineBytes: LINE_BYTES, write });
    },
    async mustBeWhole(t, subscriber, topic) {
      await eventually(() => (writer?.lines ?? 0) > 0, 'the neighbour to say something');
      writer?.stop();
      const sent = writer?.lines ?? 0;
      await subscriber.count(topic, sent);
      const found = tally(
        subscriber.on(topic).map(({ payload }) => payload),
        LINE_BYTES,
      );
      t.deepEqual(found, { received: sent, lost: 0, doubled: 0, outOfOrder: 0, damaged: 0, highest: sent - 1 });
      t.is(device.accepted, 1, 'the connection of the neighbour was never given up');
      return found;
    },
  };
}
