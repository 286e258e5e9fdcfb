// `ferrule sim <file>`: virtual devices from a YAML file, each on a pty or a port, until a signal. What they are is in
// `hil/sim*.ts`.

import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { systemClock } from '../core/clock.js';
import { FerruleError, messageOf } from '../core/errors.js';
import { openRecording, type Recording } from '../hil/recording-reader.js';
import { Simulation } from '../hil/sim.js';
import { simConfig } from '../hil/sim-config.js';
import { readSimFile } from '../hil/sim-file.js';
import type { SimFile } from '../hil/sim-schema.js';
import { EXIT } from './exit-codes.js';
import { untilSignal } from './until-signal.js';

export interface SimCommandOptions {
  readonly file: string;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Only print the `devices` of a ferrule.yaml for these devices. */
  readonly printConfig: boolean;
  /** Commands from here: `unplug NAME`, `plug NAME`. */
  readonly commands?: NodeJS.ReadableStream | undefined;
  /** Prints a line. */
  readonly out: (line: string) => void;
  readonly err: (line: string) => void;
}

/** Runs the command; gives the exit code. */
export async function runSim(options: SimCommandOptions): Promise<number> {
  const { out, err } = options;
  const read = readSimFile({ ...options, readFile: (path) => readFileSync(path, 'utf8') });
  if (!read.ok) {
    for (const line of read.lines) err(line);
    return EXIT.config;
  }
  try {
    if (!options.printConfig) return await untilSignal((signal) => simulate(read, options, signal));
    out(simConfig(read.sim, read.dir, await recordedDrivers(read.sim, read.dir)).trimEnd());
    return EXIT.clean;
  } catch (error) {
    if (!(error instanceof FerruleError)) throw error;
    err(error.message);
    return EXIT.leftovers;
  }
}

interface Checked {
  readonly sim: SimFile;
  readonly dir: string;
}

async function simulate({ sim, dir }: Checked, options: SimCommandOptions, signal: AbortSignal): Promise<number> {
  const { out, err, commands } = options;
  const simulation = await Simulation.start({ sim, dir, clock: systemClock, say: err });
  const input = commands && createInterface({ input: commands });
  input?.on('line', (line) => void obey(simulation, line, options));
  try {
    const width = Math.max(0, ...[...simulation.links.keys()].map((name) => name.length));
    for (const [name, link] of simulation.links) out(`${name.padEnd(width)}  ${sim.devices[name]?.type} at ${link}`);
    out(`running; ${input ? 'unplug NAME and plug NAME, ' : ''}Ctrl-C ends`);
    if (!signal.aborted) await new Promise((end) => signal.addEventListener('abort', end, { once: true }));
  } finally {
    input?.close();
    await simulation.close();
  }
  return EXIT.clean;
}

async function obey(simulation: Simulation, line: string, { out, err }: SimCommandOptions): Promise<void> {
  const [how, name = ''] = line.trim().split(/\s+/);
  if (how === '' || how === undefined) return;
  if (how !== 'unplug' && how !== 'plug') {
    err(`"${how}": expected unplug NAME or plug NAME`);
    return;
  }
  try {
    const done = await simulation.move(name, how);
    if (done === 'done') out(`${name}: ${how}ged`);
    else err(`no device "${name}"; there are ${[...simulation.links.keys()].join(', ')}`);
  } catch (error) {
    err(`${name}: ${how}: ${messageOf(error)}`);
  }
}

/** Recordings say themselves which driver reads them. */
async function recordedDrivers(sim: SimFile, dir: string): Promise<Map<string, object>> {
  const drivers = new Map<string, object>();
  for (const [name, device] of Object.entries(sim.devices)) {
    if (device.type !== 'replay') continue;
    const { driver = 'lines', framing, options } = (await recordingOf(name, resolve(dir, device.file))).header;
    drivers.set(name, { driver, ...(framing && { framing }), ...(options && { options }) });
  }
  return drivers;
}

async function recordingOf(device: string, file: string): Promise<Recording> {
  try {
    return await openRecording(file);
  } catch (cause) {
    throw new FerruleError('sim-device', `${device}: ${messageOf(cause)}`, { cause });
  }
}
