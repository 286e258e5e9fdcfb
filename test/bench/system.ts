// What is measured: a program that takes lines from devices and publishes them. Each of systems/ is one; all are given the same
// devices and use the same topics, so that the workloads know none of them.

/** How a device is reached. */
export type DeviceLink =
  | { readonly type: 'tcp'; readonly port: number }
  | { readonly type: 'pty'; readonly path: string };

/** What a system is to do. */
export interface Setup {
  /** A folder of its own, removed afterwards. */
  readonly dir: string;
  readonly brokerPort: number;
  readonly qos: 0 | 1;
  /** Of MQTT: 4 is 3.1.1. Default: what the system chooses, which is 5 for Ferrule and 4 for the others. */
  readonly protocol?: 4;
  /** Devices in order; the n-th is `d<n>`. */
  readonly links: readonly DeviceLink[];
  /** A port to listen on, for devices that call. */
  readonly listen?: { readonly port: number; readonly connections: number };
  /** Commands go back to the devices. */
  readonly hasCommands?: boolean;
  /** Where to leave a profile of the processor. */
  readonly profileDir?: string;
  /** Its memory is to be asked for: `liveMiB`. Only Ferrule can. */
  readonly isInspected?: boolean;
}

/** What a workload asks of a system; a system that cannot do it says why. */
export type Ability = 'tcp' | 'pty' | 'commands' | 'listen' | 'replug' | 'memory';

export interface CommandLine {
  readonly command: string;
  readonly args: readonly string[];
}

export interface System {
  readonly name: string;
  /** Why it cannot run here at all, or cannot do this; undefined = it can. */
  unfit(abilities: readonly Ability[]): string | undefined;
  /** Writes what it needs into `setup.dir`. */
  prepare(setup: Setup): CommandLine;
}

/** Topics of all systems. */
export const READINGS = 'ferrule/bench/+';
/** Connections of a listener: the level below is the peer, for those who name them. */
export const LISTENER = 'hub';
export const LISTENED = `ferrule/bench/${LISTENER}/#`;

/** The topic of a device. */
export function topicOf(device: number): string {
  return `ferrule/bench/d${device}`;
}

/** The topic of commands for a device. */
export function commandTopicOf(device: number): string {
  return `${topicOf(device)}/set`;
}
