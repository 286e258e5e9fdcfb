import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { findHolder } from '../../src/device/port-holder.js';

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
  const [a, b] = await Promise.all(['ttyA', 'ttyB'].map((port) => findHolder(path.join(roots.dev, port), roots)));
  t.deepEqual(a, { pid: 200, command: 'minicom ttyA' });
  t.deepEqual(b, { pid: 100, command: 'minicom ttyB' });
});

test('an answer is never older than its question: who asks during a walk through /proc gets the next one', async (t) => {
  const roots = machine(temporaryDir(t), { 100: 'ttyB' });
  const first = findHolder(path.join(roots.dev, 'ttyA'), roots);
  await Promise.resolve(); // the walk has begun, and finds nobody or not
  await Promise.resolve();
  hold(roots, '200', 'ttyA');
  t.is((await findHolder(path.join(roots.dev, 'ttyA'), roots))?.pid, 200);
  await first;
  rmSync(path.join(roots.proc, '200'), { recursive: true });
  t.is(await findHolder(path.join(roots.dev, 'ttyA'), roots), undefined);
});

test('a walk through many open files lets others have their turn', async (t) => {
  const roots = machine(temporaryDir(t), { 200: 'ttyA' });
  const fds = path.join(roots.proc, '100', 'fd');
  mkdirSync(fds, { recursive: true });
  for (let fd = 0; fd < 1000; fd += 1) symlinkSync('/dev/null', path.join(fds, `${fd}`));
  let turns = 0;
  let isOver = false;
  const count = (): void => {
    turns += 1;
    if (!isOver) setImmediate(count);
  };
  setImmediate(count);
  const holder = await findHolder(path.join(roots.dev, 'ttyA'), roots);
  isOver = true;
  t.is(holder?.pid, 200);
  t.true(turns >= 5, `${turns} turns`);
});
