// Where the lines of a workload arrive: the sink behind a real broker, or the broker that only counts.

import type { CountingBroker } from './counting-broker.js';
import type { LineFigures } from './line-check.js';
import type { RoleProcess } from './role-process.js';
import type { Sink } from './sink.js';

export interface Receiver {
  /** Lines so far. */
  received(): Promise<number>;
  /** Forgets the latencies so far. */
  restartLatency(): Promise<void>;
  /** What has arrived, against what each device has sent. */
  figures(sent: ReadonlyMap<number, number>): Promise<LineFigures>;
}

export function sinkReceiver(sink: RoleProcess<Sink>): Receiver {
  return {
    received: () => sink.ask('received', undefined),
    restartLatency: () => sink.ask('restartLatency', undefined),
    figures: (sent) => sink.ask('figures', sent),
  };
}

export function brokerReceiver(broker: RoleProcess<CountingBroker>): Receiver {
  return {
    received: () => broker.ask('received', undefined),
    restartLatency: () => broker.ask('restartLatency', undefined),
    figures: (sent) => broker.ask('figures', sent),
  };
}
