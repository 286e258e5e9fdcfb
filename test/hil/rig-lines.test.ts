import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { systemClock } from '../../src/core/clock.js';
import { openPty, PtyUnavailableError } from '../../src/hil/pty.js';
import { RigLines } from '../../src/hil/rig-lines.js';

const folderOf = (t: ExecutionContext): string => {
  const dir = mkdtempSync(path.join(tmpdir(), 'ferrule-lines-'));
  t.teardown(() => rmSync(dir, { recursive: true }));
  return dir;
};

test('serial lines are ptys with a name in the folder of the rig, one for each device', async (t) => {
  const dir = folderOf(t);
  const lines = new RigLines({ dir, clock: systemClock, say: (line) => t.fail(line), openPty });
  const one = await lines.serial('hall/scale');
  const two = await lines.serial('hall_scale');
  t.deepEqual(readdirSync(dir).sort(), ['tty0-hall_scale', 'tty1-hall_scale']);
  t.is(one.link, `serial:${dir}/tty0-hall_scale`);
  await Promise.all([one.close(), two.close()]);
  t.deepEqual(readdirSync(dir), []);
});

test('where there are no ptys serial lines are TCP lines, which is said in one line, once', async (t) => {
  const said: string[] = [];
  const none = async (): Promise<never> => {
    throw new PtyUnavailableError('koffi does not load (no prebuilt binary)');
  };
  const lines = new RigLines({ dir: '/nowhere', clock: systemClock, say: (line) => said.push(line), openPty: none });
  const one = await lines.serial('scale');
  const two = await lines.serial('cell');
  t.regex(one.link, /^tcp:\/\/127\.0\.0\.1:\d+$/);
  t.not(one.link, two.link);
  t.deepEqual(said, [
    'ferrule/hil: ptys are not available here: koffi does not load (no prebuilt binary); serial devices are on TCP instead',
  ]);
  await Promise.all([one.close(), two.close()]);
});

test('any other trouble with a pty is not hidden', async (t) => {
  const broken = async (): Promise<never> => {
    throw new Error('EMFILE');
  };
  const lines = new RigLines({ dir: '/nowhere', clock: systemClock, say: () => {}, openPty: broken });
  await t.throwsAsync(lines.serial('scale'), { message: 'EMFILE' });
});
