import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { HolderSearch } from '../../src/device/port-holder.js';

function temporaryDir(t: ExecutionContext): string {
  const dir = mkdtempSync(path.join(tmpdir(), 'ferrule-holder-'));
  t.teardown(() => rmSync(dir, { recursive: true }));
  return dir;
}

/** A /dev with two ports, and a /proc in which `holders` have them open. */
function machine(dir: string, holders: Readonly<Record<number, string>>) {
  const roots = { proc: path.join(dir, 'proc'), dev: path.join(dir, 'dev') };
  mkdirSync(roots.dev, { recursive: true });
  for (const port of ['ttyA', 'ttyB']) writeFileSync(path.join(roots.dev, port), '');
  for (const [pid, port] of Object.entries(holders)) hold(roots, pid, port);
  return roots;
}

function hold(roots: { readonly proc: string; readonly dev: string }, pid: string, port: string): void {
  const fds = path.join(roots.proc, pid, 'fd');
  mkdirSync(fds, { recursive: true });
  writeFileSync(path.join(roots.proc, pid, 'cmdline'), `minicom\0${port}\0`);
  symlinkSync(path.join(roots.dev, port), path.join(fds, '3'));
}

test('ports that are asked for together each get their own holder', async (t) => {
  const roots = machine(temporaryDir(t), { 100: 'ttyB', 200: 'ttyA' });
  const holders = new HolderSearch(roots);
  const [a, b] = await Promise.all(['ttyA', 'ttyB'].map((port) => holders.find(path.join(roots.dev, port))));
  t.deepEqual(a, { pid: 200, command: 'minicom ttyA' });
  t.deepEqual(b, { pid: 100, command: 'minicom ttyB' });
});

test('an answer is never older than its question: who asks during a walk through /proc gets the next one', async (t) => {
  const roots = machine(temporaryDir(t), { 100: 'ttyB' });
  const holders = new HolderSearch(roots);
  const first = holders.find(path.join(roots.dev, 'ttyA'));
  await Promise.resolve(); // the walk has begun, and finds nobody or not
  await Promise.resolve();
  hold(roots, '200', 'ttyA');
  t.is((await holders.find(path.join(roots.dev, 'ttyA')))?.pid, 200);
  await first;
  rmSync(path.join(roots.proc, '200'), { recursive: true });
  t.is(await holders.find(path.join(roots.dev, 'ttyA')), undefined);
});

/** How often others had their turn while `ttyA`'s holder was looked for. */
async function turnsDuringWalk(t: ExecutionContext, roots: { readonly proc: string; readonly dev: string }) {
  let turns = 0;
  let isOver = false;
  const count = (): void => {
    turns += 1;
    if (!isOver) setImmediate(count);
  };
  setImmediate(count);
  const holder = await new HolderSearch(roots).find(path.join(roots.dev, 'ttyA'));
  isOver = true;
  t.is(holder?.pid, 2000);
  return turns;
}

test('a walk through many open files lets others have their turn', async (t) => {
  const roots = machine(temporaryDir(t), { 2000: 'ttyA' });
  const fds = path.join(roots.proc, '100', 'fd');
  mkdirSync(fds, { recursive: true });
  for (let fd = 0; fd < 1000; fd += 1) symlinkSync('/dev/null', path.join(fds, `${fd}`));
  const turns = await turnsDuringWalk(t, roots);
  t.true(turns >= 5, `${turns} turns`);
});

test('so does one past many processes that have nothing open, as those of the kernel', async (t) => {
  const roots = machine(temporaryDir(t), { 2000: 'ttyA' });
  for (let pid = 100; pid < 1100; pid += 1) mkdirSync(path.join(roots.proc, `${pid}`, 'fd'), { recursive: true });
  const turns = await turnsDuringWalk(t, roots);
  t.true(turns >= 5, `${turns} turns`);
});
