// What the server may ask of the gateway. Every call answers at once and changes nothing.

import type { HealthReport } from '../control/health-report.js';
import type { DeviceFigures } from '../group/device-figures.js';
import type { UplinkFigures } from '../uplink/uplink.js';

/** A device of the config; without figures while it is disabled. */
export interface DeviceView {
  readonly name: string;
  readonly figures: DeviceFigures | undefined;
  readonly isDisabled: boolean;
  /** Messages of it that will never reach the broker. */
  readonly dropped: number;
}

/** Everything that is counted, at one moment. */
export interface GatewayFigures {
  readonly version: string;
  readonly isReady: boolean;
  readonly devices: readonly DeviceView[];
  readonly uplink: UplinkFigures;
  /** `spool.max_size`. */
  readonly spoolLimitBytes: number;
  /** Commands that were not done: retained ones, and those that had come before. */
  readonly commands: { readonly ignoredRetained: number; readonly repeated: number };
}

export interface GatewayView {
  report(): HealthReport;
  figures(): GatewayFigures;
  /** Tells from now on how long the broker takes to acknowledge, in samples; ms. */
  watchLatency(watcher: (ms: number) => void): void;
}
