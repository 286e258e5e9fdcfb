// Real time, without the time in which others had the processors: a limit on it is about the program, not about who else is on
// the machine. Taken off is what the thread that waited longest for a processor has waited, from the kernel's own count; that
// can never be more than what has passed.

import { readdirSync, readFileSync } from 'node:fs';

/** Starts now; each call answers the ms since then. `pids`: the processes that do the work. */
export function fairStopwatch(...pids: readonly number[]): () => number {
  const startedAt = performance.now();
  const before = waits(pids);
  return () => {
    const waited = [...waits(pids)].map(([thread, ms]) => ms - (before.get(thread) ?? 0));
    return Math.round(performance.now() - startedAt - Math.max(0, ...waited));
  };
}

/** ms that each thread has been ready to run and got no processor; nothing where the kernel does not tell. */
function waits(pids: readonly number[]): Map<string, number> {
  const threads = pids.flatMap((pid) =>
    readdirSync(`/proc/${pid}/task`).map((thread) => `/proc/${pid}/task/${thread}`),
  );
  return new Map(threads.map((thread) => [thread, waitedBy(thread)]));
}

/** proc(5), schedstat: `time on the processor, time waiting for one, turns`, in ns. */
function waitedBy(thread: string): number {
  try {
    return Number(readFileSync(`${thread}/schedstat`, 'utf8').split(' ')[1]) / 1e6;
  } catch {
    return 0; // the thread has ended
  }
}
