// A gateway as the HTTP server sees it, with whatever figures and health a test wants.

import { type HealthReport, type HealthReportInput, healthReportOf } from '../../src/control/health-report.js';
import { type DeviceCounters, newCounters } from '../../src/group/device-context.js';
import type { DeviceFigures } from '../../src/group/device-figures.js';
import type { GatewayFigures, GatewayView } from '../../src/http/gateway-view.js';

/** Facts of a gateway with nothing wrong. */
export function healthFacts(facts: Partial<HealthReportInput> = {}): HealthReportInput {
  return {
    isStarted: true,
    isShuttingDown: false,
    stuck: [],
    broker: { state: 'online', reason: 'connected' },
    devices: [{ name: 'scale', state: 'online', reason: 'open' }],
    dropped: 0,
    spool: { state: 'idle', messages: 0, bytes: 0 },
    ...facts,
  };
}

export function deviceFiguresOf(
  counters: Partial<DeviceCounters> = {},
  more: Partial<DeviceFigures> = {},
): DeviceFigures {
  return { state: 'online', counters: { ...newCounters(), ...counters }, queuedItems: 0, queuedBytes: 0, ...more };
}

export function gatewayFigures(figures: Partial<GatewayFigures> = {}): GatewayFigures {
  return {
    version: '1.2.3',
    isReady: true,
    devices: [],
    uplink: {
      queuedBytes: 0,
      unacknowledged: 0,
      resent: 0,
      dropped: 0,
      isOnline: true,
      spoolState: 'idle',
      spoolMessages: 0,
      spoolBytes: 0,
      spoolIsFull: false,
    },
    spoolLimitBytes: 64 * 1024 * 1024,
    commands: { ignoredRetained: 0, repeated: 0 },
    ...figures,
  };
}

export class FakeGatewayView implements GatewayView {
  facts = healthFacts();
  counted = gatewayFigures();
  /** Who wants to know about the latency. */
  readonly watchers: ((ms: number) => void)[] = [];

  report(): HealthReport {
    return healthReportOf(this.facts);
  }

  figures(): GatewayFigures {
    return this.counted;
  }

  watchLatency(watcher: (ms: number) => void): void {
    this.watchers.push(watcher);
  }
}
