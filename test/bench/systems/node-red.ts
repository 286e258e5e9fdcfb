// Node-RED, where it is installed (`node-red` in PATH): a flow of `tcp in` nodes wired to one `mqtt out`. Serial devices and commands
// need nodes that it does not come with, so they are left out.

import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { type Ability, type DeviceLink, LISTENER, type Setup, type System, topicOf } from '../system.js';

const CANNOT: Partial<Record<Ability, string>> = {
  pty: 'needs node-red-node-serialport',
  commands: 'not built into the flow of the bench',
  replug: 'needs node-red-node-serialport',
};

export const nodeRed: System = {
  name: 'Node-RED',
  unfit(abilities) {
    if (spawnSync('sh', ['-c', 'command -v node-red']).status !== 0) return 'not installed (no node-red in PATH)';
    return abilities.map((ability) => CANNOT[ability]).find((reason) => reason !== undefined);
  },
  prepare(setup) {
    writeFileSync(path.join(setup.dir, 'flows.json'), JSON.stringify(flowOf(setup)));
    writeFileSync(
      path.join(setup.dir, 'settings.js'),
      'module.exports = { uiHost: "127.0.0.1", uiPort: 0, httpAdminRoot: false };',
    );
    const args = ['--userDir', setup.dir, '--settings', path.join(setup.dir, 'settings.js'), 'flows.json'];
    return { command: 'node-red', args };
  },
};

function flowOf(setup: Setup): object[] {
  const shared = [
    { id: 'tab', type: 'tab', label: 'bench' },
    {
      id: 'broker',
      type: 'mqtt-broker',
      broker: '127.0.0.1',
      port: `${setup.brokerPort}`,
      protocolVersion: '4',
      keepalive: '60',
    },
    {
      id: 'out',
      type: 'mqtt out',
      z: 'tab',
      topic: '',
      qos: `${setup.qos}`,
      retain: 'false',
      broker: 'broker',
      wires: [],
    },
  ];
  const calls = setup.links.map((link, n) => tcpIn(`in${n}`, 'client', portOf(link), topicOf(n)));
  const listener = setup.listen && tcpIn('in', 'server', setup.listen.port, `ferrule/bench/${LISTENER}/all`);
  return [...shared, ...calls, ...(listener ? [listener] : [])];
}

function tcpIn(id: string, server: 'client' | 'server', port: number, topic: string): object {
  const stream = { datamode: 'stream', datatype: 'utf8', newline: '\\n', trim: false, base64: false };
  return {
    id,
    type: 'tcp in',
    z: 'tab',
    server,
    host: '127.0.0.1',
    port: `${port}`,
    topic,
    ...stream,
    wires: [['out']],
  };
}

function portOf(link: DeviceLink): number {
  return link.type === 'tcp' ? link.port : 0;
}
