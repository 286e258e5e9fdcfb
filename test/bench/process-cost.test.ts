import { spawn } from 'node:child_process';
import test from 'ava';
import { eventually } from '../support/eventually.js';
import { costOf, familyOf } from './process-cost.js';

test('a pipeline counts with all its members, and only they', async (t) => {
  const shell = spawn('sh', ['-c', 'sleep 30 | sleep 30'], { detached: true, stdio: 'ignore' });
  const pid = shell.pid ?? 0;
  t.teardown(() => process.kill(-pid, 'SIGKILL'));
  await eventually(() => familyOf(pid).length === 3, 'the shell and both members');
  t.is(familyOf(pid)[0], pid);
  const { pssMiB, anonMiB } = costOf(pid);
  t.true(pssMiB > 0 && anonMiB > 0);
});

test('work is seen as processor time, sleep as wake-ups', async (t) => {
  const before = costOf(process.pid);
  const until = performance.now() + 100;
  while (performance.now() < until) Math.sqrt(until);
  await eventually(() => costOf(process.pid).cpuMs > before.cpuMs, 'a tick of processor time');
  await eventually(() => costOf(process.pid).sleeps > before.sleeps, 'a voluntary switch');
  t.true(costOf(process.pid).peakRssMiB > 0);
});

test('a process that is gone costs nothing', (t) => {
  t.deepEqual(costOf(2 ** 30), { cpuMs: 0, pssMiB: 0, anonMiB: 0, peakRssMiB: 0, sleeps: 0 });
});
