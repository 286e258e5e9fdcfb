// A reload meets files that somebody is just writing: an editor empties a file before it fills it.

import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { LiveConfig } from '../../src/cli/live-config.js';
import { folderFor } from '../support/ferrule-command.js';

const ONE = 'devices:\n  scale: { driver: lines, link: "tcp://h:9" }\n';
const TWO = `${ONE}  cell: { driver: lines, link: "tcp://h:10" }\n`;

/** A config in a folder of its own; `writing`: what happens to its file during the pauses of a reload, one after the other. */
async function rigFor(t: ExecutionContext, writing: readonly string[]) {
  const dir = folderFor(t, { 'ferrule.yaml': ONE });
  const file = path.join(dir, 'ferrule.yaml');
  const texts = [...writing];
  const pause = async (): Promise<void> => {
    const next = texts.shift();
    if (next !== undefined) writeFileSync(file, next);
  };
  const live = await LiveConfig.open({ place: { cwd: dir, env: {} }, pause });
  if (!(live instanceof LiveConfig)) throw new Error(live.lines.join('\n'));
  const applied: string[][] = [];
  const reload = () => live.reload(async ({ devices }) => void applied.push(devices.map(({ plan }) => plan.name)));
  return { file, reload, applied };
}

test('a reload that finds a file empty waits until it is written', async (t) => {
  const { file, reload, applied } = await rigFor(t, [TWO]);
  writeFileSync(file, '');
  await reload();
  t.deepEqual(applied, [['scale', 'cell']]);
});

test('a reload that finds a file half written waits until it stays the same', async (t) => {
  const { file, reload, applied } = await rigFor(t, [ONE, TWO, TWO]);
  writeFileSync(file, 'devices:\n');
  await reload();
  t.deepEqual(applied, [['scale', 'cell']]);
});

test('a file that stays empty changes nothing, and the sender is told how to run without devices', async (t) => {
  const { file, reload, applied } = await rigFor(t, []);
  writeFileSync(file, ' \n');
  const answer = await reload();
  t.like(answer, { ok: false });
  t.regex(JSON.stringify(answer), /ferrule\.yaml is empty.*devices: \{\}/);
  t.deepEqual(applied, []);
});

test('a file beside the config that stays empty is named with what to do about it', async (t) => {
  const dir = folderFor(t, {
    'ferrule.yaml': ONE,
    'devices.d/none.yaml': '',
  });
  const live = await LiveConfig.open({ place: { cwd: dir, env: {} }, pause: async () => {} });
  if (!(live instanceof LiveConfig)) throw new Error(live.lines.join('\n'));
  const answer = JSON.stringify(await live.reload(async () => 'applied'));
  t.regex(answer, /devices\.d\/none\.yaml is empty: is it being written\? If it is to have no devices, remove it"/);
});

test('a secret that stays empty has nothing to do with devices', async (t) => {
  const dir = folderFor(t, {
    'ferrule.yaml': `mqtt: { username: me, password: !file word.txt }\n${ONE}`,
    'word.txt': 'hunter2',
  });
  const live = await LiveConfig.open({ place: { cwd: dir, env: {} }, pause: async () => {} });
  if (!(live instanceof LiveConfig)) throw new Error(live.lines.join('\n'));
  writeFileSync(path.join(dir, 'word.txt'), ' \n');
  t.regex(JSON.stringify(await live.reload(async () => 'applied')), /word\.txt is empty: is it being written\?"/);
});

test('a file that is written without end is read after a second all the same', async (t) => {
  const { reload, applied } = await rigFor(
    t,
    Array.from({ length: 100 }, (_, n) => `${ONE}# ${n}\n`),
  );
  await reload();
  t.deepEqual(applied, [['scale']]);
});

test('a reload that finds a file of devices.d gone waits whether it comes back, as with git and editors', async (t) => {
  const dir = folderFor(t, { 'ferrule.yaml': ONE });
  const extra = path.join(dir, 'devices.d/cell.yaml');
  const write = (): void => writeFileSync(extra, 'cell: { driver: lines, link: "tcp://h:10" }\n');
  mkdirSync(path.dirname(extra));
  write();
  let pauses = 0;
  const pause = async (): Promise<void> => {
    pauses += 1;
    if (pauses === 1) write();
  };
  const live = await LiveConfig.open({ place: { cwd: dir, env: {} }, pause });
  if (!(live instanceof LiveConfig)) throw new Error(live.lines.join('\n'));
  rmSync(extra);
  t.deepEqual(await live.reload(async ({ devices }) => devices.map(({ plan }) => plan.name)), ['scale', 'cell']);
  rmSync(extra);
  pauses = 1;
  t.deepEqual(
    await live.reload(async ({ devices }) => devices.map(({ plan }) => plan.name)),
    ['scale'],
    'gone for good',
  );
});
