// What a run has found, as one table and one JSON file. The file is written anew after every workload: a run that is cut off has
// what it had come to.

import { readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { withBareSocket } from './bare-socket.js';
import type { BenchOptions } from './bench-options.js';
import { busyWarning, type Machine } from './machine.js';
import type { Result } from './result.js';
import { ferrule } from './systems/ferrule.js';
import { notesOf, tableOf } from './table.js';
import { TARGETS } from './targets.js';
import { judge, type Verdict } from './verdict.js';

export class Report {
  readonly #options: BenchOptions;
  readonly #machine: Machine;
  readonly #file: string;
  readonly #raw: Result[] = [];

  constructor(options: BenchOptions, machine: Machine) {
    this.#options = options;
    this.#machine = machine;
    this.#file = options.json ?? path.join(tmpdir(), 'ferrule-bench.json');
  }

  get hasFailures(): boolean {
    return this.#raw.some(({ error }) => error !== undefined);
  }

  /** Takes on the results of a workload, and saves all there are. */
  add(results: readonly Result[]): void {
    this.#raw.push(...results);
    const { seconds, rounds } = this.#options;
    const [machine, warning] = [this.#machine, busyWarning(this.#machine)];
    const all = { ferrule: versionHere(), machine, warning, seconds, rounds, ...this.#judged() };
    writeFileSync(this.#file, `${JSON.stringify(all, null, 1)}\n`);
  }

  /** Table, notes, and where the rest is. */
  text(): string {
    const { results, verdicts } = this.#judged();
    const warning = busyWarning(this.#machine) ?? [];
    const lines = [...notesOf(results), warning, `all figures: ${this.#file}`].flat();
    return `\n${tableOf(results, verdicts, ferrule.name)}\n\n${lines.join('\n')}`;
  }

  #judged(): { readonly results: Result[]; readonly verdicts: Verdict[] } {
    const results = withBareSocket(this.#raw);
    return { results, verdicts: judge(results, TARGETS, ferrule.name) };
  }
}

function versionHere(): string {
  return JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')).version;
}
