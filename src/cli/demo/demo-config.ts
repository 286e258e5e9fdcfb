// The config of the demo: an ordinary ferrule.yaml, checked and loaded like any other, so that what the demo shows is what a
// user can write.

import { loadConfig } from '../../config/load.js';
import { formatProblem } from '../../config/problem.js';
import type { Config } from '../../config/schema.js';
import { FerruleError } from '../../core/errors.js';
import { type PlannedDevice, planDevices } from '../../device/plan-devices.js';

/** Where the virtual devices are: links in string form. */
export interface DemoLinks {
  readonly gps: string;
  readonly scale: string;
  readonly thermometer: string;
  /** Absent: there is no board. */
  readonly arduino?: string | undefined;
}

export interface DemoPlan {
  readonly config: Config;
  readonly devices: readonly PlannedDevice[];
}

/** The device of the demo that is a board, and its channel for the LED. */
export const ARDUINO = 'arduino';
export const LED = 'led';

/** Where the gateway of the demo listens. */
export interface DemoPorts {
  /** Of the embedded broker, 0 = the system chooses. */
  readonly mqtt: number;
  /** Health and metrics. */
  readonly http: number;
}

/** The config as a user would write it. */
export function demoConfig(links: DemoLinks, ports: DemoPorts): string {
  return `gateway: { id: demo }
mqtt:
  url: embedded
  embedded: { port: ${ports.mqtt} }
http: { listen: 127.0.0.1:${ports.http} }
devices:
  gps:
    driver: nmea0183
    link: ${links.gps}
  scale:
    driver: lines
    link: ${links.scale}
    framing: { type: line, delimiter: "\\r\\n" }
${links.arduino === undefined ? '' : arduinoConfig(links.arduino)}  thermometer:
    driver: json-lines
    link: ${links.thermometer}
    reconnect: { first: 250ms, max: 2s }
  sensors:
    driver: lines
    link: { type: tcp-listen, host: 127.0.0.1, port: 0, peer: "{n}", max_connections: 16 }
`;
}

/** Read five times a second: fast enough to watch, and an idle board stays cheap. */
function arduinoConfig(link: string): string {
  return `  ${ARDUINO}:
    driver: johnny-five
    link: ${link}
    reconnect: { first: 250ms, max: 2s }
    options:
      components:
        ${LED}: { type: led, pin: 13 }
        knob: { type: potentiometer, pin: A0, scale: [0, 5], threshold: 0.02, sample_ms: 200 }
      sampling_ms: 100
      answer_within_ms: 20000
`;
}

/** Loads it as `ferrule run` would, but from no file and without the user's environment. `dir`: where the spool goes. */
export async function planDemo(links: DemoLinks, ports: DemoPorts, dir: string): Promise<DemoPlan> {
  const text = demoConfig(links, ports);
  const loaded = loadConfig({ cwd: dir, env: { FERRULE_CONFIG: text }, hostname: 'demo' });
  if (!loaded.ok) throw brokenConfig('problems' in loaded ? loaded.problems.map(formatProblem) : ['not found']);
  const { devices, problems } = await planDevices(loaded.config, loaded.source);
  if (problems.length > 0) throw brokenConfig(problems.map(formatProblem));
  return { config: loaded.config, devices };
}

function brokenConfig(lines: readonly string[]): FerruleError {
  return new FerruleError('demo-config', `the demo's own config is wrong, a bug in ferrule: ${lines.join('; ')}`);
}
