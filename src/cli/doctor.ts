// `ferrule doctor`: everything that whoever helps would ask first, on the screen and, with -o, as a tar to send. Each
// examination stands alone: what fails or takes too long is said, and hides no other. Never shows a secret.

import { closeSync, fchmodSync, fstatSync, openSync, writeFileSync } from 'node:fs';
import { redact } from '../config/redact.js';
import { type Clock, systemClock } from '../core/clock.js';
import { messageOf } from '../core/errors.js';
import type { SystemRoots } from '../device/ports.js';
import { type Examination, fail, ok, warn } from './doctor-finding.js';
import { examineClock, examineDisk, examineMemory, examineVersions } from './doctor-machine.js';
import { examineGroups, examineLinks, examinePorts } from './doctor-ports.js';
import { examineBroker, examineGateway } from './doctor-remote.js';
import { reportLines, type Section } from './doctor-report.js';
import { blackener } from './doctor-secrets.js';
import { type TarFile, tarOf } from './doctor-tar.js';
import { EXIT } from './exit-codes.js';
import { type ConfigPlace, type GoodConfig, type ReadConfig, readConfig } from './read-config.js';
import { untilSignal } from './until-signal.js';

export interface DoctorOptions extends ConfigPlace, SystemRoots {
  /** Where the tar goes, if it is wanted. */
  readonly output?: string | undefined;
  /** Prints a line. */
  readonly out: (line: string) => void;
  readonly err: (line: string) => void;
  readonly clock?: Clock;
}

/** Longest that reading the config may take, ms, and then each examination; they run side by side. Under 10 s in all. */
const CONFIG_LIMIT_MS = 3000;
const LIMIT_MS = 6500;

type Step = readonly [area: string, examine: () => Examination | Promise<Examination>];

/** Runs the command; gives the exit code: 1 if something fails. */
export function runDoctor(options: DoctorOptions): Promise<number> {
  return untilSignal((signal) => Promise.race([diagnose(options), interrupted(signal)]));
}

function interrupted(signal: AbortSignal): Promise<number> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(EXIT.leftovers), { once: true }));
}

async function diagnose(options: DoctorOptions): Promise<number> {
  const { out, err, output, clock = systemClock } = options;
  const read = await readWithin(options, clock);
  const good = 'ok' in read && read.ok ? read : undefined;
  const steps = [...machineSteps(options, clock), ...(good ? configSteps(good, options, clock) : [])];
  const sections = await Promise.all(steps.map((step) => run(step, clock)));
  const all = [configSection(read), ...sections];
  const blacken = good ? blackener(good.config, good.origin.secrets) : blackener({}, []);
  const lines = reportLines(all).map(blacken);
  for (const line of lines) out(line);
  const code = all.some(({ findings }) => findings.some(({ level }) => level === 'fail')) ? EXIT.leftovers : EXIT.clean;
  if (output === undefined) return code;
  return writeTar(output, filesOf(all, lines, blacken), clock, out, err) ? code : EXIT.leftovers;
}

function machineSteps(roots: SystemRoots, clock: Clock): Step[] {
  return [
    ['versions', examineVersions],
    ['clock', () => examineClock(clock.wall())],
    ['memory', examineMemory],
    ['user', () => examineGroups()],
    ['ports', () => examinePorts(roots)],
  ];
}

function configSteps(read: GoodConfig, roots: SystemRoots, clock: Clock): Step[] {
  const { config } = read;
  return [
    ['links', () => examineLinks(config.devices, roots)],
    ['disk', () => examineDisk(read)],
    ['broker', () => examineBroker(config, clock)],
    ['gateway', () => examineGateway(config, clock)],
  ];
}

type MaybeRead = ReadConfig | { readonly trouble: string };

/** Reading a config runs the user's own drivers, which may do anything. */
async function readWithin(place: ConfigPlace, clock: Clock): Promise<MaybeRead> {
  try {
    return await within(readConfig(place), CONFIG_LIMIT_MS, clock);
  } catch (error) {
    return { trouble: messageOf(error) };
  }
}

function configSection(read: MaybeRead): Section {
  const area = 'config';
  if ('trouble' in read) return { area, findings: [fail(`cannot be read: ${read.trouble}`)] };
  if (!read.ok)
    return { area, findings: [fail(read.lines.join('\n'), 'mend it: `ferrule check` says when it is good')] };
  const { config, file, notices, keptFile, keptTrouble, origin } = read;
  const devices = Object.values(config.devices);
  const off = devices.filter(({ enabled }) => !enabled).length;
  const findings = [
    ok(
      `${file} is good: ${devices.length} ${devices.length === 1 ? 'device' : 'devices'}${off === 0 ? '' : `, ${off} disabled`}`,
    ),
    ...notices.map((notice) => warn(notice)),
    ...(keptTrouble === undefined ? [] : [warn(`${keptFile}: ${keptTrouble}`)]),
  ];
  return { area, findings, data: { config: redact(config, origin.secrets) } };
}

async function run([area, examine]: Step, clock: Clock): Promise<Section> {
  try {
    return { area, ...(await within(Promise.resolve().then(examine), LIMIT_MS, clock)) };
  } catch (error) {
    return { area, findings: [warn(`could not be examined: ${messageOf(error)}`)] };
  }
}

function within<Result>(work: Promise<Result>, limitMs: number, clock: Clock): Promise<Result> {
  return new Promise((resolve, reject) => {
    const timer = clock.after(limitMs, () => reject(new Error(`it took more than ${limitMs / 1000} s`)));
    work.then(resolve, reject).finally(() => timer.cancel());
  });
}

function filesOf(sections: readonly Section[], lines: readonly string[], blacken: (text: string) => string): TarFile[] {
  const data = Object.assign({}, ...sections.map(({ data = {} }) => data)) as Readonly<Record<string, unknown>>;
  return [
    { name: 'ferrule-doctor/report.txt', text: `${lines.join('\n')}\n` },
    ...Object.entries(data).map(([name, value]) => ({
      name: `ferrule-doctor/${name}.json`,
      text: blacken(`${JSON.stringify(value, null, 2)}\n`),
    })),
  ];
}

/** False if it could not be written. Only its owner may read it: it names devices, hosts and topics. */
function writeTar(
  output: string,
  files: readonly TarFile[],
  clock: Clock,
  out: (line: string) => void,
  err: (line: string) => void,
): boolean {
  try {
    writePrivate(output, tarOf(files, clock.wall()));
    out(`${output}: ${files.length} files, without secrets; look through it before you send it`);
    return true;
  } catch (error) {
    err(`${output}: ${messageOf(error)}`);
    return false;
  }
}

/** The mode given to `open` is only for a file that is made: one that was there would keep its own. */
function writePrivate(file: string, bytes: Buffer): void {
  const fd = openSync(file, 'w', 0o600);
  try {
    if (fstatSync(fd).isFile()) makePrivate(fd);
    writeFileSync(fd, bytes);
  } finally {
    closeSync(fd);
  }
}

function makePrivate(fd: number): void {
  try {
    fchmodSync(fd, 0o600);
  } catch {
    // a stick without modes (FAT), or a file of somebody else: it is still written
  }
}
