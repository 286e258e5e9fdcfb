import { existsSync, lstatSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { systemClock } from '../../src/core/clock.js';
import { openLine, parseLinePlace } from '../../src/hil/line-place.js';
import { PtyUnavailableError } from '../../src/hil/pty.js';
import { folderFor } from '../support/ferrule-command.js';

test('a place is a path, a port to listen on, or one to call', (t) => {
  t.deepEqual(parseLinePlace('/tmp/gps', '/work'), { kind: 'pty', path: '/tmp/gps' });
  t.deepEqual(parseLinePlace('./gps', '/work'), { kind: 'pty', path: '/work/gps' });
  t.deepEqual(parseLinePlace('tcp://127.0.0.1:7001', '/'), { kind: 'tcp', host: '127.0.0.1', port: 7001 });
  t.deepEqual(parseLinePlace('dial://[::1]:7001', '/'), { kind: 'dial', host: '::1', port: 7001 });
  for (const text of ['', '/', 'gps', 'tcp://h', 'tcp://h:70000', 'dial://h:0', 'serial:/dev/x', 'tcp://u@h:1']) {
    t.is(parseLinePlace(text, '/'), undefined, text);
  }
});

test('what is somebody else is left alone; a link that a killed sim has left is taken over', async (t) => {
  const dir = folderFor(t, { file: 'mine' });
  symlinkSync('file', path.join(dir, 'link'));
  symlinkSync('/dev/pts/4711', path.join(dir, 'stale'));
  writeFileSync(path.join(dir, 'other'), '');
  const open = (name: string) =>
    openLine({ kind: 'pty', path: path.join(dir, name) }, { clock: systemClock, say: () => t.fail() });
  for (const name of ['file', 'link', 'other']) {
    await t.throwsAsync(open(name), { message: /is there already, and is no link to a pty$/ }, name);
    t.true(existsSync(path.join(dir, name)));
  }
  const line = await open('stale');
  t.regex(readlinkSync(path.join(dir, 'stale')), /^\/dev\/pts\/(?!4711)/);
  await line.close();
  t.false(lstatSync(path.join(dir, 'stale'), { throwIfNoEntry: false }) !== undefined);
  await t.throwsAsync(open('no/folder'), { message: /cannot make the link .*ENOENT/ });
});

test('where there are no ptys the device is behind a port, and one line says so', async (t) => {
  const said: string[] = [];
  const line = await openLine(
    { kind: 'pty', path: '/tmp/nowhere' },
    {
      clock: systemClock,
      say: (text) => said.push(text),
      openPty: () => Promise.reject(new PtyUnavailableError('koffi does not load')),
    },
  );
  t.deepEqual(said, [`ptys are not available here: koffi does not load: ${line.link} instead of /tmp/nowhere`]);
  t.regex(line.link, /^tcp:\/\/127\.0\.0\.1:\d+$/);
  await line.close();
});

test('a port that is taken is told', async (t) => {
  const options = { clock: systemClock, say: () => {} };
  const first = await openLine({ kind: 'tcp', host: '127.0.0.1', port: 0 }, options);
  const port = Number(first.link.split(':').at(-1));
  await t.throwsAsync(openLine({ kind: 'tcp', host: '127.0.0.1', port }, options), {
    message: /cannot listen: .*EADDRINUSE/,
  });
  await first.close();
});
