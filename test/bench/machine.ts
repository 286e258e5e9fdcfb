// What the figures of a run depend on: the machine, the versions, and how busy it was.

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import os from 'node:os';

/** Above this the processors are shared with somebody else, and figures tell about him too. */
const QUIET_LOAD = 1;

export interface Machine {
  readonly date: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryMiB: number;
  readonly kernel: string;
  readonly arch: string;
  /** Load averages over 1, 5 and 15 minutes at the start. */
  readonly load: readonly number[];
  /** Descriptors that a process may have open. */
  readonly descriptors: number;
  /** First line of what each tool says of its version; absent = not installed. */
  readonly versions: Readonly<Record<string, string>>;
}

/** As it is now. */
export function describeMachine(): Machine {
  return {
    date: new Date().toISOString(),
    cpu: os.cpus()[0]?.model ?? 'unknown',
    cores: os.cpus().length,
    memoryMiB: Math.round(os.totalmem() / 1024 / 1024),
    kernel: os.release(),
    arch: os.arch(),
    load: os.loadavg(),
    descriptors: descriptorLimit(),
    versions: {
      node: process.version,
      ...version('mosquitto', ['-h']),
      ...version('mosquitto_pub', ['--version']),
      ...version('socat', ['-V'], /socat version \S+/),
      ...version('node-red', ['--version']),
    },
  };
}

/** What to say before figures of a busy machine; undefined when it is quiet. */
export function busyWarning({ load, cores }: Machine): string | undefined {
  const [now = 0] = load;
  if (now <= QUIET_LOAD) return undefined;
  return `WARNING: load average ${now.toFixed(2)} on ${cores} cores at the start: others are busy here, figures are not worth much`;
}

function descriptorLimit(): number {
  return Number(/^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]);
}

function version(tool: string, args: readonly string[], pattern = /\S.*/): Record<string, string> {
  const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/usr/local/sbin` };
  const { stdout, error } = spawnSync(tool, args, { encoding: 'utf8', env, timeout: 5000 });
  const found = error === undefined ? pattern.exec(stdout)?.[0] : undefined;
  return found === undefined ? {} : { [tool]: found };
}
