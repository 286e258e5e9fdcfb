// `npm run bench`: every workload with every system, one after the other, then one table and one JSON file. A workload that fails
// or takes too long is told, and the others go on. See README.md here.

import { mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import path from 'node:path';
import { type BenchOptions, parseOptions, USAGE } from './bench-options.js';
import { BenchRig } from './bench-rig.js';
import { CATALOGUE, type Entry } from './catalogue.js';
import { busyWarning, describeMachine, type Machine } from './machine.js';
import { hottest, readProfile } from './profile.js';
import { Report } from './report.js';
import type { Result } from './result.js';
import { combine, lacksCalm } from './rounds.js';
import { processorTime, stolenPercent } from './stolen-time.js';
import type { System } from './system.js';
import { ferrule, otherBuild } from './systems/ferrule.js';
import { short } from './table.js';
import type { Workload } from './workload.js';

const USAGE_ERROR = 64;
const INTERRUPTED = 130;
/** Start, warm-up, waits and end of a workload, over its measured part. */
const OVERHEAD_MS = 120_000;
const HOTTEST = 25;

/** What an interrupted bench has to stop, and what it has found. */
let current: BenchRig | undefined;
let report: Report | undefined;

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

function chosen({ only, systems, against }: BenchOptions): Entry[] {
  const other = against === undefined ? [] : [otherBuild(against)];
  const known = new Set(CATALOGUE.map(({ workload }) => workload.name));
  const unknown = only?.filter((name) => !known.has(name)) ?? [];
  if (unknown.length > 0)
    throw new Error(`no such workload: ${unknown.join(', ')}; there are ${[...known].join(', ')}`);
  const isWanted = ({ name }: System): boolean =>
    systems === undefined || systems.some((part) => name.toLowerCase().includes(part));
  return CATALOGUE.filter(({ workload }) => only === undefined || only.includes(workload.name))
    .map(({ workload, systems: all }) => ({
      workload,
      systems: all.flatMap((system) => (system === ferrule ? [ferrule, ...other] : [system])).filter(isWanted),
    }))
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
    const before = processorTime();
    const figures = await inTime(workload.run(rig), OVERHEAD_MS + options.seconds * 1000);
    return { ...base, figures: { ...figures, stolenPercent: stolenPercent(before, processorTime()) } };
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

/** All rounds of a workload, its systems taking turns. */
async function runRounds({ workload, systems }: Entry, options: BenchOptions, machine: Machine): Promise<Result[]> {
  const bySystem = systems.map((system) => ({ system, results: [] as Result[] }));
  const isWanted = (round: number): boolean =>
    round < options.rounds ||
    (round < options.upTo && bySystem.some(({ results }) => lacksCalm(results, options.rounds)));
  for (let round = 0; isWanted(round); round += 1) {
    for (const { system, results } of bySystem) results.push(await runOne(workload, system, options, machine));
  }
  return bySystem.flatMap(({ results: [first, ...others] }) => (first ? [combine([first, ...others])] : []));
}

/** Whether all of it went. */
async function runAll(options: BenchOptions, entries: readonly Entry[]): Promise<boolean> {
  const machine = describeMachine();
  const warning = busyWarning(machine);
  print(
    `${machine.cpu}, ${machine.cores} cores, ${machine.arch}, Linux ${machine.kernel}, Node ${machine.versions.node}`,
  );
  if (warning !== undefined) print(warning);
  report = new Report(options, machine);
  for (const entry of entries) report.add(await runRounds(entry, options, machine));
  print(report.text());
  return !report.hasFailures;
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

/** Stops what runs, without waiting for its good manners, and tells what there is. Parts of the bench end with this process anyhow. */
async function interrupt(): Promise<void> {
  await current?.close(0);
  if (report !== undefined) print(report.text());
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
else process.exitCode = (await runAll(options, entries)) ? 0 : 1;
process.exit();
