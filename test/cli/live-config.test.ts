// A reload meets files that somebody is just writing: an editor empties a file before it fills it.

import { writeFileSync } from 'node:fs';
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

test('a file that is written without end is read after a second all the same', async (t) => {
  const { reload, applied } = await rigFor(
    t,
    Array.from({ length: 100 }, (_, n) => `${ONE}# ${n}\n`),
  );
  await reload();
  t.deepEqual(applied, [['scale']]);
});
