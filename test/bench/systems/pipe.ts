// The peer in C: one `socat | mosquitto_pub -l` per device, started by a shell as one would in a unit file. With commands,
// `mosquitto_sub` stands before it.

import { spawnSync } from 'node:child_process';
import { type Ability, commandTopicOf, type DeviceLink, type Setup, type System, topicOf } from '../system.js';

const TOOLS = ['socat', 'mosquitto_pub', 'mosquitto_sub'];
const CANNOT: Partial<Record<Ability, string>> = {
  listen: 'one process per connection and one stdin: no thing for a pipe',
};

export const pipe: System = {
  name: 'socat | mosquitto_pub',
  unfit(abilities) {
    const missing = TOOLS.filter((tool) => spawnSync(tool, ['--help']).error !== undefined);
    if (missing.length > 0) return `${missing.join(', ')} not installed`;
    return abilities.map((ability) => CANNOT[ability]).find((reason) => reason !== undefined);
  },
  prepare(setup) {
    const lines = setup.links.map((link, device) => `${pipelineOf(setup, link, device)} &`);
    return { command: '/bin/sh', args: ['-c', `${lines.join('\n')}\nwait`] };
  },
};

function pipelineOf(setup: Setup, link: DeviceLink, device: number): string {
  const broker = `-h 127.0.0.1 -p ${setup.brokerPort}`;
  const publish = `mosquitto_pub ${broker} -t ${topicOf(device)} -q ${setup.qos} -l`;
  if (!setup.hasCommands) return `${again(`socat -u ${addressOf(link)} -`)} | ${publish}`;
  return `mosquitto_sub ${broker} -t ${commandTopicOf(device)} | socat - ${addressOf(link)} | ${publish}`;
}

/** socat ends with its device; a loop is how one has it come back. */
function again(command: string): string {
  return `while :; do ${command}; sleep 1; done`;
}

function addressOf(link: DeviceLink): string {
  return link.type === 'tcp' ? `TCP:127.0.0.1:${link.port},nodelay` : `${link.path},b115200,raw,echo=0`;
}
