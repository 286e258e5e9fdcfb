import { openSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { setImmediate } from 'node:timers/promises';
import test from 'ava';
import koffi from 'koffi';
import { makeLog } from '../../src/cli/make-log.js';
import { folderFor } from '../support/ferrule-command.js';

/** Puts another file behind a descriptor that is in use. */
const dup2: (from: number, to: number) => number = koffi.load(null).func('int dup2(int, int)');

test('a log whose disk is full harms nobody, and goes on with what it has kept when there is room again', async (t) => {
  const fd = openSync('/dev/full', 'w');
  const log = await makeLog({ level: 'info', isTerminal: false, fd });
  const long = 'x'.repeat(1000);
  t.notThrows(() => {
    for (let line = 0; line < 100; line += 1) log.info(`${line} ${long}`);
  });
  const file = path.join(folderFor(t), 'log');
  dup2(openSync(file, 'w'), fd);
  log.warn('there is room again');
  await setImmediate();
  const lines: { msg: string; lost?: number }[] = readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  const kept = lines.filter(({ msg }) => msg.endsWith(long)).map(({ msg }) => Number.parseInt(msg, 10));
  t.deepEqual(kept, [...kept.keys()], 'the oldest, in order');
  t.is(lines.find(({ lost }) => lost !== undefined)?.lost, 100 - kept.length);
});
