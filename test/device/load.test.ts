import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { builtInDriversDir, DriverError, listDrivers, loadDriver } from '../../src/device/load.js';

const GOOD = `export default { kind: 'framed', summary: 'mine', options: { safeParse: (v) => ({ success: true, data: v }) }, create: () => ({}) };`;

async function folder(t: ExecutionContext, files: Readonly<Record<string, string>>): Promise<string> {
  const dir = await mkdtemp(path.join(tmpdir(), 'ferrule-drivers-'));
  t.teardown(() => rm(dir, { recursive: true }));
  for (const [name, text] of Object.entries(files)) await writeFile(path.join(dir, name), text);
  return dir;
}

async function failure(t: ExecutionContext, name: string, dirs: readonly string[]): Promise<DriverError> {
  const error = await t.throwsAsync(() => loadDriver(name, { dirs }), { instanceOf: DriverError });
  if (!error) throw new Error('no error'); // t.throwsAsync has failed the test already
  return error;
}

test('the drivers that come with Ferrule are found by name', async (t) => {
  for (const name of ['raw', 'lines', 'json-lines', 'nmea0183']) {
    t.is((await loadDriver(name, { dirs: [builtInDriversDir] })).kind, 'framed');
  }
});

test('the list has name and summary of each, without _template', async (t) => {
  const list = await listDrivers([builtInDriversDir]);
  const names = list.map(({ name }) => name);
  for (const name of ['json-lines', 'lines', 'nmea0183', 'raw']) t.true(names.includes(name), name);
  t.false(names.includes('_template'));
  t.true(list.every(({ summary, trouble }) => summary !== '' && trouble === undefined));
});

test('a driver of the user is found as .js or .mjs in a further folder', async (t) => {
  const dir = await folder(t, { 'mine.mjs': GOOD, 'not-me.txt': '', 'mine.mjs.map': '' });
  const dirs = [builtInDriversDir, dir];
  t.is((await loadDriver('mine', { dirs })).summary, 'mine');
  t.truthy((await listDrivers(dirs)).find(({ name, summary }) => name === 'mine' && summary === 'mine'));
});

test('a driver that nobody has names the nearest and those there are', async (t) => {
  const error = await failure(t, 'nmea-0138', [builtInDriversDir]);
  t.is(error.trouble, 'unknown');
  t.is(error.code, 'driver-unknown');
  t.regex(
    error.message,
    /^no driver "nmea-0138"; did you mean "nmea0183"\? available: .*json-lines, lines, .*nmea0183, raw/,
  );
});

for (const name of [
  '../load',
  '/etc/passwd',
  '_template',
  '..',
  '',
  'lines.js',
  '%2e%2e/x',
  'sub/lines',
  '__proto__',
]) {
  test(`${JSON.stringify(name)} is no name of a driver`, async (t) => {
    t.is((await failure(t, name, [builtInDriversDir])).trouble, 'unknown');
  });
}

test('a driver of the user may not take the name of another: both files are named', async (t) => {
  const dir = await folder(t, { 'lines.js': GOOD, 'fine.mjs': GOOD });
  const error = await failure(t, 'lines', [builtInDriversDir, dir]);
  t.is(error.trouble, 'ambiguous');
  t.true(error.message.includes(path.join(dir, 'lines.js')));
  t.true(error.message.includes(path.join(builtInDriversDir, 'lines.js')));
  t.is((await loadDriver('fine', { dirs: [builtInDriversDir, dir] })).summary, 'mine');
});

test('the same folder given twice is no quarrel', async (t) => {
  t.is((await loadDriver('lines', { dirs: [builtInDriversDir, builtInDriversDir] })).kind, 'framed');
});

test('a file without a default export is no driver', async (t) => {
  const dir = await folder(t, { 'empty.mjs': 'export const driver = 1;' });
  const error = await failure(t, 'empty', [dir]);
  t.is(error.trouble, 'not-a-driver');
  t.regex(error.message, /empty\.mjs has no default export/);
});

test('a driver of the wrong shape is told all that is wrong', async (t) => {
  const dir = await folder(t, { 'odd.mjs': `export default { kind: 'other', options: {}, create: 1 };` });
  const error = await failure(t, 'odd', [dir]);
  t.is(error.trouble, 'not-a-driver');
  t.regex(
    error.message,
    /kind: expected "framed" or "session", got "other"; summary: .*got undefined; options: .*; create: /,
  );
});

test('a driver of sessions needs open, and nothing of a framed one', async (t) => {
  const parts = `summary: 'x', options: { safeParse: () => ({}) }`;
  const dir = await folder(t, {
    'none.mjs': `export default { kind: 'session', ${parts} };`,
    'some.mjs': `export default { kind: 'session', ${parts}, open: async () => ({}) };`,
  });
  t.regex(
    (await failure(t, 'none', [dir])).message,
    /none\.mjs is no driver: open: expected a function, got undefined$/,
  );
  t.is((await loadDriver('some', { dirs: [dir] })).kind, 'session');
});

test('a driver that throws on import is broken, with what it threw as the cause', async (t) => {
  const dir = await folder(t, { 'boom.mjs': `throw new RangeError('boom');`, 'typo.mjs': 'export default {' });
  const error = await failure(t, 'boom', [dir]);
  t.is(error.trouble, 'broken');
  t.true(error.cause instanceof RangeError);
  t.regex(error.message, /boom\.mjs cannot be loaded: boom/);
  t.is((await failure(t, 'typo', [dir])).trouble, 'broken');
});

test('a driver that cannot find ferrule is told how to', async (t) => {
  const dir = await folder(t, { 'mine.mjs': `import { defineDriver } from 'ferrule/driver';` });
  t.regex((await failure(t, 'mine', [dir])).message, /npm link ferrule/);
});

test('a broken driver in the list does not hide the others', async (t) => {
  const dir = await folder(t, { 'boom.mjs': `throw new Error('boom');`, 'mine.mjs': GOOD });
  const list = await listDrivers([dir]);
  t.deepEqual(
    list.map(({ name, summary }) => [name, summary]),
    [
      ['boom', ''],
      ['mine', 'mine'],
    ],
  );
  t.regex(list[0]?.trouble ?? '', /boom/);
});

test('a drivers folder that is not there is named', async (t) => {
  const error = await failure(t, 'lines', [builtInDriversDir, '/nowhere/drivers']);
  t.is(error.trouble, 'no-folder');
  t.regex(error.message, /\/nowhere\/drivers/);
});

test('a driver that could not be loaded is tried again once its file has been mended', async (t) => {
  const dir = await folder(t, { 'mine.mjs': 'export default {' });
  t.is((await failure(t, 'mine', [dir])).trouble, 'broken');
  await writeFile(path.join(dir, 'mine.mjs'), GOOD);
  t.is((await loadDriver('mine', { dirs: [dir] })).summary, 'mine');
});
