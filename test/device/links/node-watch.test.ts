import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { systemClock } from '../../../src/core/clock.js';
import { type Awaited, nodeAppears, nodeIdentity, ttysIdentity } from '../../../src/device/links/node-watch.js';

/** For what is not to wait for a backoff, on a machine that others use too. */
const SOON_MS = 15_000;
/** Longer than nodes take to settle. */
const WHILE_MS = 100;

function temporaryDev(t: ExecutionContext): string {
  const dev = mkdtempSync(path.join(tmpdir(), 'ferrule-dev-'));
  t.teardown(() => rmSync(dev, { recursive: true }));
  return dev;
}

/** Whether the wait ends by itself within `ms`. */
async function wakes(awaited: Awaited, dev: string, ms = SOON_MS): Promise<boolean> {
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), ms);
  await nodeAppears(awaited, { clock: systemClock, dev }, limit.signal);
  clearTimeout(timer);
  return !limit.signal.aborted;
}

test('a node that has become ours between the failed open and the watch is tried again at once', async (t) => {
  const dev = temporaryDev(t);
  const node = path.join(dev, 'ttyUSB0');
  writeFileSync(node, '', { mode: 0o000 });
  const known = nodeIdentity(node);
  await new Promise((resolve) => setTimeout(resolve, 20)); // times of files are as coarse as the tick of the kernel
  chmodSync(node, 0o660); // as udev does, once more, when nobody looks
  t.true(await wakes({ path: node, known }, dev));
});

test('a node that is still not ours is not', async (t) => {
  const dev = temporaryDev(t);
  const node = path.join(dev, 'ttyUSB0');
  writeFileSync(node, '', { mode: 0o000 });
  t.false(await wakes({ path: node, known: nodeIdentity(node) }, dev, WHILE_MS));
});

test('a tty that has come while USB devices were looked through is found at once', async (t) => {
  const dev = temporaryDev(t);
  const known = ttysIdentity(dev);
  writeFileSync(path.join(dev, 'ttyUSB0'), '');
  t.true(await wakes({ path: 'any-tty', known }, dev));
});

test('where all ttys are the same, one has to come; consoles do not count', async (t) => {
  const dev = temporaryDev(t);
  writeFileSync(path.join(dev, 'ttyS0'), '');
  const known = ttysIdentity(dev);
  writeFileSync(path.join(dev, 'tty7'), '');
  t.is(ttysIdentity(dev), known);
  t.false(await wakes({ path: 'any-tty', known }, dev, WHILE_MS));
  symlinkSync('nowhere', path.join(dev, 'ttyACM0'));
  t.not(ttysIdentity(dev), known);
  t.is(ttysIdentity(path.join(dev, 'none')), '');
});
