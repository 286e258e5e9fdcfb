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
}

export interface DemoPlan {
  readonly config: Config;
  readonly devices: readonly PlannedDevice[];
}

/** The config as a user would write it. `port` is that of the embedded broker, 0 = the system chooses. */
export function demoConfig(links: DemoLinks, port: number): string {
  return `gateway: { id: demo }
mqtt:
  url: embedded
  embedded: { port: ${port} }
devices:
  gps:
    driver: nmea0183
    link: ${links.gps}
  scale:
    driver: lines
    link: ${links.scale}
    framing: { type: line, delimiter: "\\r\\n" }
  thermometer:
    driver: json-lines
    link: ${links.thermometer}
    reconnect: { first: 250ms, max: 2s }
  sensors:
    driver: lines
    link: { type: tcp-listen, host: 127.0.0.1, port: 0, peer: "{n}", max_connections: 16 }
`;
}

/** Loads it as `ferrule run` would, but from no file and without the user's environment. */
export async function planDemo(links: DemoLinks, port: number): Promise<DemoPlan> {
  const text = demoConfig(links, port);
  const loaded = loadConfig({ cwd: '/', env: { FERRULE_CONFIG: text }, hostname: 'demo' });
  if (!loaded.ok) throw brokenConfig('problems' in loaded ? loaded.problems.map(formatProblem) : ['not found']);
  const { devices, problems } = await planDevices(loaded.config, loaded.source);
  if (problems.length > 0) throw brokenConfig(problems.map(formatProblem));
  return { config: loaded.config, devices };
}

function brokenConfig(lines: readonly string[]): FerruleError {
  return new FerruleError('demo-config', `the demo's own config is wrong, a bug in ferrule: ${lines.join('; ')}`);
}
