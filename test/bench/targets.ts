// What Ferrule has to reach, per workload and figure: the numbers of the issue on performance, with those of the hand-packed
// prototype (DESIGN section 9) where it had one. A verdict holds for a quiet machine.

export interface Target {
  readonly workload: string;
  readonly figure: string;
  readonly atMost: number;
  /** `atMost` is a share of the same figure of that system, of the same run. */
  readonly ofSystem?: string;
  /** What the prototype had. */
  readonly prototype?: number;
}

const UNTOUCHED = ['lost', 'doubled', 'outOfOrder', 'damaged'];
const C_PIPE = 'socat | mosquitto_pub';

function untouched(workload: string): Target[] {
  return UNTOUCHED.map((figure) => ({ workload, figure, atMost: 0 }));
}

export const TARGETS: readonly Target[] = [
  { workload: 'tcp-qos0', figure: 'cpuPerLineUs', atMost: 0.6, prototype: 0.34 },
  { workload: 'tcp-qos0', figure: 'cpuPerLineUs', atMost: 1 / 3, ofSystem: C_PIPE },
  { workload: 'tcp-qos0', figure: 'peakRssMiB', atMost: 80, prototype: 55 },
  ...untouched('tcp-qos0'),
  { workload: 'tcp-qos1', figure: 'cpuPerLineUs', atMost: 2.5, prototype: 1.8 },
  { workload: 'tcp-qos1', figure: 'peakRssMiB', atMost: 80, prototype: 55 },
  ...untouched('tcp-qos1'),
  // As the prototype was measured: over MQTT 3.1.1.
  { workload: 'tcp-qos1-v4', figure: 'cpuPerLineUs', atMost: 2.5, prototype: 1.8 },
  { workload: 'tcp-qos1-v4', figure: 'peakRssMiB', atMost: 80, prototype: 55 },
  ...untouched('tcp-qos1-v4'),
  { workload: 'tcp-qos1-wide', figure: 'cpuPerLineUs', atMost: 2.5, prototype: 1.8 },
  { workload: 'tcp-qos1-wide', figure: 'peakRssMiB', atMost: 80, prototype: 55 },
  ...untouched('tcp-qos1-wide'),
  ...untouched('tcp-qos0-counting'),
  ...untouched('tcp-qos1-counting'),
  ...untouched('ptys-1'),
  { workload: 'ptys-8', figure: 'cpuPercent', atMost: 18, prototype: 13 },
  { workload: 'ptys-8', figure: 'p99Ms', atMost: 1, prototype: 0.79 },
  { workload: 'ptys-8', figure: 'p999Ms', atMost: 5, prototype: 3.6 },
  ...untouched('ptys-8'),
  ...untouched('connections-1000'),
  { workload: 'connections-1000', figure: 'kibOverBareSocket', atMost: 8 },
  { workload: 'connections-5000', figure: 'cpuPercent', atMost: 22, prototype: 17 },
  { workload: 'connections-5000', figure: 'pssMiB', atMost: 110, prototype: 42 },
  { workload: 'connections-5000', figure: 'p99Ms', atMost: 2, prototype: 1.3 },
  { workload: 'connections-5000', figure: 'kibOverBareSocket', atMost: 8 },
  { workload: 'connections-5000', figure: 'connectionsLost', atMost: 0 },
  ...untouched('connections-5000'),
  { workload: 'round-trip', figure: 'p50Ms', atMost: 1.2, prototype: 0.98 },
  { workload: 'round-trip', figure: 'unanswered', atMost: 0 },
  { workload: 'round-trip-pty', figure: 'p50Ms', atMost: 1.2, prototype: 0.98 },
  { workload: 'round-trip-pty', figure: 'unanswered', atMost: 0 },
  { workload: 'replug', figure: 'replugMs', atMost: 150, prototype: 89 },
  { workload: 'start', figure: 'startMs', atMost: 250, prototype: 125 },
  { workload: 'start', figure: 'idlePssMiB', atMost: 45, prototype: 25 },
  { workload: 'start', figure: 'idleWakeUpsPerSecond', atMost: 5 },
  ...['doubled', 'outOfOrder', 'damaged'].map((figure) => ({ workload: 'start', figure, atMost: 0 })),
  { workload: 'sigterm', figure: 'undelivered', atMost: 0, prototype: 0 },
  { workload: 'sigterm', figure: 'exitCode', atMost: 0 },
  { workload: 'sigterm', figure: 'exitMs', atMost: 8000 },
];
