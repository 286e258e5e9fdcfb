// `npm run bench`: every workload with every system, one after the other, then one table and one JSON file. A workload that fails
// or takes too long is told, and the others go on. See README.md here.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import path from 'node:path';
import { withBareSocket } from './bare-socket.js';
import { type BenchOptions, parseOptions, USAGE } from './bench-options.js';
import { BenchRig } from './bench-rig.js';
import { CATALOGUE, type Entry } from './catalogue.js';
import { busyWarning, describeMachine, type Machine } from './machine.js';
import { hottest, readProfile } from './profile.js';
import type { Result } from './result.js';
import type { System } from './system.js';
import { ferrule } from './systems/ferrule.js';
import { notesOf, short, tableOf } from './table.js';
import { TARGETS } from './targets.js';
import { judge } from './verdict.js';
import type { Workload } from './workload.js';

const USAGE_ERROR = 64;
const INTERRUPTED = 130;
/** Start, warm-up, waits and end of a workload, over its measured part. */
const OVERHEAD_MS = 120_000;
const HOTTEST = 25;

/** What an interrupted bench has to stop. */
let current: BenchRig | undefined;

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

function chosen({ only, systems }: BenchOptions): Entry[] {
  const known = new Set(CATALOGUE.map(({ workload }) => workload.name));
  const unknown = only?.filter((name) => !known.has(name)) ?? [];
  if (unknown.length > 0)
    throw new Error(`no such workload: ${unknown.join(', ')}; there are ${[...known].join(', ')}`);
  const isWanted = ({ name }: System): boolean =>
    systems === undefined || systems.some((part) => name.toLowerCase().includes(part));
  return CATALOGUE.filter(({ workload }) => only === undefined || only.includes(workload.name))
    .map(({ workload, systems: all }) => ({ workload, systems: all.filter(isWanted) }))
    .filter(({ systems: wanted }) => wanted.length > 0);
}

async function runOne(workload: Workload, system: System, options: BenchOptions, machine: Machine): Promise<Result> {
  const base = { workload: workload.name, system: system.name, figures: {}, load: loadavg()[0] ?? 0 };
  const skipped = system.unfit(workload.needs) ?? tooFewDescriptors(workload, machine);
  if (skipped !== undefined) return { ...base, skipped };
  print(`... ${workload.name} with ${system.name}`);
  const profileDir =
    options.isProfile && system === ferrule ? mkdtempSync(path.join(tmpdir(), 'ferrule-profile-')) : undefined;
  const rig = new BenchRig(system, { seconds: options.seconds, ...(profileDir !== undefined && { profileDir }) });
  current = rig;
  try {
    return { ...base, figures: await inTime(workload.run(rig), OVERHEAD_MS + options.seconds * 1000) };
  } catch (error) {
    return { ...base, error: `${error instanceof Error ? error.message : error}\n${rig.tail()}` };
  } finally {
    await rig.close();
    if (profileDir !== undefined) printProfile(workload, profileDir);
  }
}

function tooFewDescriptors({ descriptors = 0 }: Workload, machine: Machine): string | undefined {
  if (descriptors <= machine.descriptors) return undefined;
  return `needs ${descriptors} open files, the limit is ${machine.descriptors}: ulimit -n ${descriptors}`;
}

function inTime<T>(work: Promise<T>, limitMs: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`took more than ${limitMs} ms`)), limitMs);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

function printProfile({ name }: Workload, dir: string): void {
  const profile = readProfile(dir);
  if (profile === undefined) {
    print(`no profile of ${name}: it did not end in order`);
    rmSync(dir, { recursive: true });
    return;
  }
  print(`\n${name}: where Ferrule's time went (own time of functions; the whole profile is in ${dir})`);
  for (const { where, selfMs, share } of hottest(profile, HOTTEST)) {
    print(`  ${(100 * share).toFixed(1).padStart(5)} %  ${short(selfMs).padStart(7)} ms  ${where}`);
  }
  print('');
}

async function runAll(options: BenchOptions, entries: readonly Entry[]): Promise<Result[]> {
  const machine = describeMachine();
  const warning = busyWarning(machine);
  print(
    `${machine.cpu}, ${machine.cores} cores, ${machine.arch}, Linux ${machine.kernel}, Node ${machine.versions.node}`,
  );
  if (warning !== undefined) print(warning);
  const raw: Result[] = [];
  for (const { workload, systems } of entries) {
    for (const system of systems) raw.push(await runOne(workload, system, options, machine));
  }
  const results = withBareSocket(raw);
  const verdicts = judge(results, TARGETS, ferrule.name);
  print(`\n${tableOf(results, verdicts, ferrule.name)}\n`);
  for (const note of notesOf(results)) print(note);
  if (warning !== undefined) print(warning);
  const json = options.json ?? path.join(tmpdir(), 'ferrule-bench.json');
  const ferruleVersion = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')).version;
  const { seconds } = options;
  writeFileSync(
    json,
    `${JSON.stringify({ ferrule: ferruleVersion, machine, warning, seconds, results, verdicts }, null, 1)}\n`,
  );
  print(`all figures: ${json}`);
  return results;
}

function printList(): void {
  for (const { workload, systems } of CATALOGUE) {
    print(`${workload.name.padEnd(20)} ${workload.title} (${systems.map(({ name }) => name).join(', ')})`);
  }
}

/** Whether all that was sent has come. */
async function runSoak(minutes: number): Promise<boolean> {
  const { soak } = await import('./soak.js');
  const rig = new BenchRig(ferrule, { seconds: minutes * 60 });
  current = rig;
  try {
    return await soak(rig, minutes, print);
  } finally {
    await rig.close();
  }
}

/** Stops what runs, without waiting for its good manners. Parts of the bench end with this process anyhow. */
async function interrupt(): Promise<void> {
  await current?.close(0);
  process.exit(INTERRUPTED);
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => void interrupt());

/** What the arguments ask for; ends the process where they make no sense. */
function understood(): { readonly options: BenchOptions; readonly entries: readonly Entry[] } {
  try {
    const options = parseOptions(process.argv.slice(2));
    return { options, entries: chosen(options) };
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n\n${USAGE}\n`);
    return process.exit(USAGE_ERROR);
  }
}

const { options, entries } = understood();
if (options.isList) printList();
else if (options.isSpool) await import('./spool.js');
else if (options.soak > 0) process.exitCode = (await runSoak(options.soak)) ? 0 : 1;
else if ((await runAll(options, entries)).some(({ error }) => error !== undefined)) process.exitCode = 1;
process.exit();
