// A device in figures, for the metrics. What the connections of a listener count is added up to the listener, those that have
// ended included: nothing here grows with the number of peers, and no sum ever falls.

import type { GroupState } from '../core/lifecycle.js';
import type { CommsThreadGroup } from './comms-thread-group.js';
import { addCounters, type DeviceCounters, newCounters } from './device-context.js';
import type { DeviceGroup } from './device-set.js';
import { ServerManager } from './server-manager.js';

export interface DeviceFigures {
  readonly state: GroupState;
  readonly counters: Readonly<DeviceCounters>;
  /** What waits in the queues of its threads. */
  readonly queuedItems: number;
  readonly queuedBytes: number;
  /** Of a listener. */
  readonly connections?: {
    readonly open: number;
    readonly accepted: number;
    readonly refused: number;
    readonly unnamed: number;
  };
}

/** The figures of a device, or of a listener with all its connections. */
export function deviceFigures(device: DeviceGroup): DeviceFigures {
  return device instanceof ServerManager ? listenerFigures(device) : ownFigures(device);
}

function ownFigures({ state, counters, queuedItems, queuedBytes }: CommsThreadGroup): DeviceFigures {
  return { state: state.state, counters, queuedItems, queuedBytes };
}

function listenerFigures(listener: ServerManager): DeviceFigures {
  const counters = newCounters();
  addCounters(counters, listener.ended);
  let queuedItems = 0;
  let queuedBytes = 0;
  let open = 0;
  for (const connection of listener.connections) {
    const figures = ownFigures(connection);
    addCounters(counters, figures.counters);
    queuedItems += figures.queuedItems;
    queuedBytes += figures.queuedBytes;
    open += 1;
  }
  const { accepted, refused, unnamed } = listener.counters;
  const connections = { open, accepted, refused, unnamed };
  return { state: listener.group.state.state, counters, queuedItems, queuedBytes, connections };
}
