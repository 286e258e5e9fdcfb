// The built product, as users run it: `ferrule run -c FILE`, with every default that the bench has no reason to change.

import { existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { type CommandLine, type DeviceLink, LISTENER, type Setup, type System } from '../system.js';

const PROJECT = fileURLToPath(new URL('../../../../', import.meta.url));
const MAIN = 'dist/src/cli/main.js';

/** This build. */
export const ferrule: System = ferruleIn('ferrule', PROJECT);

/** Another build, to be compared with. Throws an Error where there is none. */
export function otherBuild(dir: string): System {
  if (!existsSync(path.join(dir, MAIN))) throw new Error(`no ${MAIN} in ${dir}: build it there (npm run build)`);
  return ferruleIn(`ferrule in ${dir}`, dir);
}

function ferruleIn(name: string, dir: string): System {
  return {
    name,
    unfit: () => undefined,
    prepare(setup): CommandLine {
      const file = path.join(setup.dir, 'ferrule.yaml');
      writeFileSync(file, JSON.stringify(configOf(setup), null, 1)); // JSON is YAML too
      const profile = setup.profileDir === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${setup.profileDir}`];
      const inspector = setup.isInspected === true ? ['--inspect=127.0.0.1:0'] : [];
      return { command: process.execPath, args: [...profile, ...inspector, path.join(dir, MAIN), 'run', '-c', file] };
    },
  };
}

function configOf({ brokerPort, qos, protocol, links, listen }: Setup): object {
  const devices = links.map((link, n) => [`d${n}`, { driver: 'lines', link: linkOf(link) }]);
  const hub = listen && {
    driver: 'lines',
    link: { type: 'tcp-listen', port: listen.port, max_connections: listen.connections },
  };
  return {
    gateway: { id: 'bench' },
    mqtt: { url: `mqtt://127.0.0.1:${brokerPort}`, qos, ...(protocol && { version: protocol }) },
    http: { listen: '127.0.0.1:0' }, // the default port may be in use by another gateway of this machine
    devices: { ...Object.fromEntries(devices), ...(hub && { [LISTENER]: hub }) },
  };
}

function linkOf(link: DeviceLink): string {
  return link.type === 'tcp' ? `tcp://127.0.0.1:${link.port}` : `serial:${link.path}?baud_rate=115200`;
}
