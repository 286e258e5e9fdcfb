// What the system says of this process.

import { readdir } from 'node:fs/promises';
import type { Clock } from '../core/clock.js';
import type { Sample } from './samples.js';

/** Of the process that asks. Never rejects: what cannot be read is left out. */
export async function processSamples(clock: Clock): Promise<Sample[]> {
  const { user, system } = process.cpuUsage();
  const { rss, heapUsed } = process.memoryUsage();
  const files = await readdir('/proc/self/fd').catch(() => undefined);
  return [
    { name: 'ferrule_process_cpu_seconds_total', value: (user + system) / 1e6 },
    { name: 'ferrule_process_start_time_seconds', value: clock.wall() / 1000 - process.uptime() },
    { name: 'ferrule_process_resident_memory_bytes', value: rss },
    { name: 'ferrule_process_heap_used_bytes', value: heapUsed },
    // One of them is the folder that was being read.
    ...(files === undefined ? [] : [{ name: 'ferrule_process_open_fds', value: files.length - 1 } as const]),
  ];
}
