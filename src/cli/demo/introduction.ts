// What somebody who sees the demo for the first time is told: what this is, and what to type into another terminal.

import path from 'node:path';
import type { Topics } from '../../uplink/topics.js';
import { ARDUINO, LED } from './demo-config.js';

export interface Introduction {
  /** What is different on this machine from what one would expect, if anything. */
  readonly early: readonly string[];
  readonly title: string;
  /** What to try, best first. */
  readonly tries: readonly Try[];
}

/** A command for another terminal, and a word on it. */
export interface Try {
  readonly command: string;
  readonly remark: string;
}

/** Stands above the commands. */
export const TRIES_HEADING = 'Try in another terminal (Ctrl-C here ends the demo):';

export interface IntroductionFacts {
  readonly version: string;
  readonly topics: Topics;
  readonly brokerUrl: string;
  readonly httpPort: number;
  /** 0 = does not listen. */
  readonly listenerPort: number;
  readonly hasArduino: boolean;
  /** The config of the demo. */
  readonly configFile: string;
  /** How to call ferrule: see `ownCommand`. */
  readonly command: string;
  readonly early: readonly string[];
}

/** The port that MQTT clients take if they are told none. */
export const MQTT_PORT = 1883;
/** Remarks stand in a column of their own; what is longer pushes its remark to the right. */
const COMMAND_WIDTH = 54;

/** Writes it. */
export function introduce(facts: IntroductionFacts): Introduction {
  const { hostname, port } = new URL(facts.brokerUrl);
  return {
    early: facts.early,
    title: `Ferrule ${facts.version} demo: MQTT broker on ${hostname}:${port}, topics below ${facts.topics.base}`,
    tries: triesFor(facts, Number(port)),
  };
}

function triesFor(facts: IntroductionFacts, port: number): Try[] {
  const { topics, httpPort, listenerPort, hasArduino, configFile, command } = facts;
  const at = port === MQTT_PORT ? '' : ` -p ${port}`;
  const led = commandTopic(topics, ARDUINO, LED);
  return [
    ...(hasArduino ? [{ command: `mosquitto_pub${at} -t ${led} -m off`, remark: `on, '{"blink":100}'` }] : []),
    { command: `${command} status -c ${configFile}`, remark: 'or: monitor gps' },
    { command: `mosquitto_sub${at} -t '${topics.base}/#' -v`, remark: 'everything' },
    { command: `curl 127.0.0.1:${httpPort}/health`, remark: 'or: /metrics' },
    ...(listenerPort > 0 ? [{ command: `nc 127.0.0.1 ${listenerPort}`, remark: 'be a sensor yourself' }] : []),
  ];
}

/** The line of one; without its remark where that has no room. */
export function tryLine({ command, remark }: Try, width = Number.POSITIVE_INFINITY): string {
  const line = `  ${command.padEnd(COMMAND_WIDTH)}  ${remark}`;
  return line.length <= width ? line : `  ${command}`;
}

/** Where a device takes commands. */
export function commandTopic(topics: Topics, device: string, channel?: string): string {
  const [set = ''] = topics.commandFilters(device);
  return channel === undefined ? set : `${set}/${channel}`;
}

/** How the person at the terminal calls this program again: as `ferrule` where that is installed, else by npx in its folder. */
export function ownCommand(script: string | undefined): string {
  const isInstalled = script !== undefined && path.basename(script) === 'ferrule' && !script.includes('node_modules');
  return isInstalled ? 'ferrule' : 'npx ferrule';
}
