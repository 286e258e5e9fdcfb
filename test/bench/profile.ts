// Where a process spent its time, from the file that `node --cpu-prof` leaves: functions by their own time.

import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';

/** What is read of a .cpuprofile. */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
  readonly samples: readonly number[];
  /** us before each sample. */
  readonly timeDeltas: readonly number[];
}

export interface FunctionShare {
  /** `name file:line`, or V8's own name such as `(garbage collector)`. */
  readonly where: string;
  readonly selfMs: number;
  /** Of the time in which the process was not idle, 0 to 1. */
  readonly share: number;
}

const IDLE = '(idle)';

/** The functions with the most time of their own. */
export function hottest({ nodes, samples, timeDeltas }: CpuProfile, count: number): FunctionShare[] {
  const names = new Map(nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]));
  const selfUs = new Map<string, number>();
  for (const [n, id] of samples.entries()) {
    const where = names.get(id) ?? '(unknown)';
    selfUs.set(where, (selfUs.get(where) ?? 0) + (timeDeltas[n] ?? 0));
  }
  selfUs.delete(IDLE);
  const busyUs = [...selfUs.values()].reduce((sum, us) => sum + us, 0);
  return [...selfUs]
    .sort(([, a], [, b]) => b - a)
    .slice(0, count)
    .map(([where, us]) => ({ where, selfMs: us / 1000, share: us / busyUs }));
}

/** The largest profile in a folder: that of the main thread, when Workers left some too. */
export function readProfile(dir: string): CpuProfile | undefined {
  const files = readdirSync(dir).filter((file) => file.endsWith('.cpuprofile'));
  const [largest] = files.map((file) => path.join(dir, file)).sort((a, b) => statSync(b).size - statSync(a).size);
  return largest === undefined ? undefined : JSON.parse(readFileSync(largest, 'utf8'));
}

function nameOf({ functionName, url, lineNumber }: CpuProfile['nodes'][number]['callFrame']): string {
  const name = functionName || '(anonymous)';
  if (url === '') return name;
  const file = url.replace(/^file:\/\//, '').replace(/^.*\/(dist|node_modules)\//, '');
  return `${name} ${file}:${lineNumber + 1}`;
}
