import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LinuxBinding } from '@serialport/bindings-cpp';
import test from 'ava';
import { openPty } from '../../src/hil/pty.js';
import { eventually } from '../support/eventually.js';

const ALL_BYTES = Buffer.from(Array.from({ length: 256 }, (_, value) => value));

async function openSlave(path: string) {
  return LinuxBinding.open({ path, baudRate: 115200 });
}

test('bytes of any value go through a pty both ways unchanged', async (t) => {
  const pty = await openPty();
  const got: Buffer[] = [];
  pty.onData((chunk) => got.push(chunk));
  const slave = await openSlave(pty.path);
  t.is(await pty.write(ALL_BYTES), 'taken');
  const read = await slave.read(Buffer.alloc(1024), 0, 1024);
  t.deepEqual(read.buffer.subarray(0, read.bytesRead), ALL_BYTES);
  await slave.write(ALL_BYTES);
  await eventually(() => Buffer.concat(got).length === 256, 'all bytes at the device');
  t.deepEqual(Buffer.concat(got), ALL_BYTES);
  await slave.close();
  await pty.close();
});

test('a pty outlives the programs that open it one after the other', async (t) => {
  const pty = await openPty();
  const got: Buffer[] = [];
  pty.onData((chunk) => got.push(chunk));
  for (let round = 0; round < 5; round++) {
    const slave = await openSlave(pty.path);
    await slave.write(Buffer.from(`${round}`));
    await eventually(() => Buffer.concat(got).length === round + 1, 'the byte of this round');
    t.is(await pty.write('x'), 'taken');
    await slave.close();
    await eventually(async () => (await pty.write('y')) === 'dropped', 'the pty to notice that nobody listens');
  }
  t.is(Buffer.concat(got).toString(), '01234');
  await pty.close();
});

test('a write right after somebody opened the port is not dropped', async (t) => {
  const pty = await openPty();
  const first = await openSlave(pty.path);
  await first.close();
  await eventually(async () => (await pty.write('y')) === 'dropped', 'the pty to notice that nobody listens');
  const second = await openSlave(pty.path);
  t.is(await pty.write('now'), 'taken');
  await second.close();
  await pty.close();
});

test('bytes that nobody reads are dropped after a while, not kept for ever', async (t) => {
  const pty = await openPty();
  const slave = await openSlave(pty.path);
  const outcomes = await Promise.all([pty.write(Buffer.alloc(512 * 1024)), pty.write(Buffer.alloc(768 * 1024))]);
  t.deepEqual(outcomes, ['dropped', 'dropped']);
  await slave.close();
  await pty.close();
});

test('a large write reaches a slow reader whole', async (t) => {
  const pty = await openPty();
  const slave = await openSlave(pty.path);
  const sent = Buffer.from(Array.from({ length: 300_000 }, (_, i) => i % 251));
  const writing = pty.write(sent);
  const got: Buffer[] = [];
  for (let total = 0; total < sent.length; ) {
    const { buffer, bytesRead } = await slave.read(Buffer.alloc(4096), 0, 4096);
    got.push(buffer.subarray(0, bytesRead));
    total += bytesRead;
  }
  t.is(await writing, 'taken');
  t.deepEqual(Buffer.concat(got), sent);
  await slave.close();
  await pty.close();
});

test('the link points at the pty, goes with the plug, and moves to the next one', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'ferrule-pty-'));
  const link = join(dir, 'ttyDEVICE');
  const first = await openPty({ link });
  t.is(first.path, link);
  t.is(readlinkSync(link), first.slavePath);
  await first.unplug();
  t.false(existsSync(link));
  t.false(existsSync(first.slavePath));
  t.is(await first.write('x'), 'dropped');
  const second = await openPty({ link });
  t.is(readlinkSync(link), second.slavePath);
  const third = await openPty({ link });
  await second.close();
  t.is(readlinkSync(link), third.slavePath, 'a link that a newer pty took over stays');
  await third.close();
  await third.close();
  rmSync(dir, { recursive: true });
});

test('what a process that was killed has left beside a link is no trouble; a file of that name stays', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'ferrule-pty-'));
  const link = join(dir, 'ttyDEVICE');
  symlinkSync('/dev/pts/gone', `${link}.new`);
  const pty = await openPty({ link });
  t.is(readlinkSync(link), pty.slavePath);
  t.deepEqual(readdirSync(dir), ['ttyDEVICE']);
  await pty.close();
  writeFileSync(`${link}.new`, 'mine');
  await t.throwsAsync(openPty({ link }), { code: 'EEXIST' });
  t.is(readFileSync(`${link}.new`, 'utf8'), 'mine');
  rmSync(dir, { recursive: true });
});

// Serial tests come before all others: then no other pty comes and goes meanwhile.
test.serial('a pty whose link cannot be made leaves no descriptor and no file behind', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'ferrule-pty-'));
  await openPty().then((pty) => pty.close()); // what is loaded once
  const before = masters();
  await t.throwsAsync(openPty({ link: join(dir, 'nowhere', 'ttyDEVICE') }), { code: 'ENOENT' });
  mkdirSync(join(dir, 'folder'));
  await t.throwsAsync(openPty({ link: join(dir, 'folder') }), { code: 'EISDIR' });
  t.is(masters(), before);
  t.deepEqual(readdirSync(dir), ['folder']);
  rmSync(dir, { recursive: true });
});

/** Masters of ptys that this process has open. */
function masters(): number {
  const isMaster = (fd: string): boolean => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).endsWith('/ptmx');
    } catch {
      return false; // the one that read the folder
    }
  };
  return readdirSync('/proc/self/fd').filter(isMaster).length;
}
