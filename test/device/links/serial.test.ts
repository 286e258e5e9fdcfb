import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  chmodSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import test from 'ava';
import type { SerialLinkConfig } from '../../../src/config/link-schema.js';
import { sleep, systemClock } from '../../../src/core/clock.js';
import { LinkError } from '../../../src/device/link.js';
import { checkPort, explainOpenError } from '../../../src/device/links/serial-check.js';
import { makeOpener } from '../../../src/device/make-opener.js';
import { openPty } from '../../../src/hil/pty.js';
import { openPtyMaster } from '../../../src/hil/pty-master.js';
import { linkContract, openWatched } from '../../contracts/link.js';
import { eventually } from '../../support/eventually.js';

/** For what is not to wait for a timer, on a machine that others use too. */
const SOON_MS = 15_000;
const forever = new AbortController().signal;
const deps = { clock: systemClock };

function config(path: string, more: Partial<SerialLinkConfig> = {}): SerialLinkConfig {
  const line = { data_bits: 8, parity: 'none', stop_bits: 1, rtscts: false, idle_timeout: 0 } as const;
  return { type: 'serial', path, baud_rate: 115200, ...line, ...more };
}

function tempDir(): string {
  return mkdtempSync(join(tmpdir(), 'ferrule-serial-'));
}

async function troubleOf(opening: Promise<unknown>): Promise<LinkError> {
  try {
    await opening;
  } catch (error) {
    if (error instanceof LinkError) return error;
    throw error;
  }
  throw new Error('it opened');
}

for (const rtscts of [false, true]) {
  linkContract(`serial${rtscts ? ' with flow control' : ''}`, async () => {
    const pty = await openPty();
    const received: Buffer[] = [];
    pty.onData((chunk) => received.push(chunk));
    return {
      opener: makeOpener(config(pty.path, { rtscts }), deps),
      send: (bytes) => pty.write(bytes),
      received: () => Buffer.concat(received),
      unplug: () => pty.unplug(),
      close: () => pty.close(),
    };
  });
}

test('a line with flow control waits while it is paused, one without goes on', async (t) => {
  for (const rtscts of [false, true]) {
    const pty = await openPty();
    const { link, bytes } = await openWatched(makeOpener(config(pty.path, { rtscts }), deps));
    t.is(link.canPause, rtscts);
    link.pause();
    await pty.write(Buffer.from('while paused'));
    if (rtscts) {
      await sleep(systemClock, 20);
      t.is(bytes().length, 0);
      link.resume();
    }
    await eventually(() => bytes().length === 12, 'all bytes');
    await link.close();
    await pty.close();
  }
});

test('an unplugged port is lost at once, and a write that waits for it settles as lost', async (t) => {
  const pty = await openPty();
  const { link, losses } = await openWatched(makeOpener(config(pty.path), deps));
  await eventually(async () => (await pty.write('')) === 'taken', 'the pty to be open');
  // The pty takes some 64 KB from a sender, then the rest has to wait: its reader is slower than memory.
  const write = link.write(Buffer.alloc(4 * 1024 * 1024));
  await pty.unplug();
  t.is(await write, 'lost');
  await eventually(() => losses.length > 0, 'the loss');
  t.is(losses[0]?.trouble, 'hang-up');
  t.true(losses[0]?.detail.includes(pty.path), losses[0]?.detail);
  await link.close();
});

test('a chunk keeps its bytes when the next one comes', async (t) => {
  const pty = await openPty();
  const { link, chunks } = await openWatched(makeOpener(config(pty.path), deps));
  await eventually(async () => (await pty.write('first')) === 'taken', 'the pty to be open');
  await eventually(() => chunks.length === 1, 'the first chunk');
  await pty.write('second');
  await eventually(() => chunks.length === 2, 'the second chunk');
  t.deepEqual(chunks.map(String), ['first', 'second']);
  await link.close();
  await pty.close();
});

test('a write still waiting when we close is lost, and close does not wait for it', async (t) => {
  const master = await openPtyMaster(); // nobody reads it: a line held back for ever
  const { link } = await openWatched(makeOpener(config(master.slavePath), deps));
  const write = link.write(Buffer.alloc(1024 * 1024));
  const began = performance.now();
  await link.close();
  t.is(await write, 'lost');
  t.true(performance.now() - began < SOON_MS);
  closeSync(master.fd);
});

test('a port that does not exist is missing, and the message lists the ports there are', async (t) => {
  const dir = tempDir();
  const none = await troubleOf(makeOpener(config('/dev/ttyNONE'), { ...deps, sys: dir }).open(forever));
  t.is(none.trouble, 'missing');
  t.is(none.message, 'no such port /dev/ttyNONE; there are no serial ports here (see `ferrule ports`)');
  mkdirSync(join(dir, 'class/tty/ttyUSB7'), { recursive: true });
  symlinkSync(dir, join(dir, 'class/tty/ttyUSB7/device'));
  const other = await troubleOf(makeOpener(config('/dev/ttyNONE'), { ...deps, sys: dir }).open(forever));
  t.true(other.message.includes('ports here: /dev/ttyUSB7'), other.message);
  rmSync(dir, { recursive: true });
});

test('a file that is no serial port says so', async (t) => {
  const dir = tempDir();
  const file = join(dir, 'ttyFILE');
  writeFileSync(file, '');
  const error = await troubleOf(makeOpener(config(file), deps).open(forever));
  t.is(error.trouble, 'io-error');
  t.true(error.message.includes('not a serial port'));
  const nothing = await troubleOf(makeOpener(config('/dev/null'), deps).open(forever));
  t.is(nothing.trouble, 'io-error');
  rmSync(dir, { recursive: true });
});

test('a port that another process holds is busy: its pid and command are named', async (t) => {
  const pty = await openPty();
  const holder = spawn('sh', ['-c', 'exec sleep 60 <"$0"', pty.path], { stdio: 'ignore' });
  await once(holder, 'spawn');
  const opener = makeOpener(config(pty.path), deps);
  let error: LinkError | undefined;
  await eventually(async () => {
    const link = await opener.open(forever).catch((thrown: LinkError) => {
      error = thrown;
      return undefined;
    });
    await link?.close();
    return error !== undefined;
  }, 'the child to hold the port');
  t.is(error?.trouble, 'busy');
  t.true(error?.message.includes(`pid ${holder.pid} (sleep 60)`), error?.message);
  holder.kill('SIGKILL');
  await once(holder, 'exit');
  const { link } = await openWatched(opener);
  await link.close();
  await pty.close();
});

test('a port that another device of this gateway has open is busy, and its line stays as it is set', async (t) => {
  const dir = tempDir();
  const pty = await openPty({ link: join(dir, 'by-id') });
  const { link } = await openWatched(makeOpener(config(pty.slavePath), deps));
  const settings = lineSettings(pty.slavePath);
  const other = makeOpener(config(pty.path, { baud_rate: 9600, stop_bits: 2, rtscts: true }), deps);
  const error = await troubleOf(other.open(forever));
  t.is(error.trouble, 'busy');
  t.regex(error.message, /by-id is open in this gateway already: do the links of two devices lead to this port\?$/);
  t.is(lineSettings(pty.slavePath), settings);
  await link.close();
  await pty.close();
  rmSync(dir, { recursive: true });
});

test('a port that goes away while it is looked at is missing, whatever the moment', async (t) => {
  const dir = tempDir();
  const path = join(dir, 'ttyLOOSE');
  const pty = await openPty();
  const troubles = new Set<string>();
  for (let round = 0; round < 200; round += 1) {
    symlinkSync(pty.slavePath, path);
    const check = checkPort(path, { sys: dir, dev: dir, proc: dir }).then(
      () => 'none',
      (error: unknown) => (error instanceof LinkError ? error.trouble : `no LinkError: ${error}`),
    );
    for (let turns = round % 5; turns > 0; turns -= 1) await new Promise((resolve) => setImmediate(resolve));
    rmSync(path);
    troubles.add(await check);
  }
  t.deepEqual(new Set([...troubles].filter((each) => each !== 'none')), new Set(['missing']));
  await pty.close();
  rmSync(dir, { recursive: true });
});

/** What stty says of a line. */
function lineSettings(path: string): string {
  return execFileSync('stty', ['-F', path, '-a']).toString();
}

const TRY_AS_NOBODY = `
  const { makeOpener } = await import(process.argv[1]);
  const { systemClock } = await import(process.argv[2]);
  const link = { type: 'serial', path: process.argv[3], data_bits: 8, parity: 'none', stop_bits: 1, rtscts: false, idle_timeout: 0 };
  const opener = makeOpener(link, { clock: systemClock });
  await opener.open(new AbortController().signal).catch((error) => console.log(error.trouble + ': ' + error.message));
`;

/** What opening says to the user `nobody`; needs root to become that user. */
async function openAsNobody(path: string): Promise<string> {
  const urls = ['device/make-opener.js', 'core/clock.js'].map(
    (file) => new URL(`../../../src/${file}`, import.meta.url).href,
  );
  const args = ['--input-type=module', '-e', TRY_AS_NOBODY, ...urls, path];
  const child = spawn(process.execPath, args, {
    uid: 65534,
    gid: 65534,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {},
    cwd: '/',
  });
  const output: Buffer[] = [];
  child.stdout.on('data', (chunk) => output.push(chunk));
  await once(child, 'close');
  return Buffer.concat(output).toString();
}

const asRoot = process.getuid?.() === 0 ? test : test.skip; // only root can try as somebody else

asRoot('a port that belongs to a group says which, and how to join it', async (t) => {
  const pty = await openPty();
  chmodSync(pty.slavePath, 0o660);
  const forGroup = await openAsNobody(pty.path);
  t.regex(
    forGroup,
    /^no-permission: no permission for \/dev\/pts\/\d+; it belongs to group \w+: `sudo usermod -aG \w+ nobody`/,
  );
  chmodSync(pty.slavePath, 0o600);
  t.regex(await openAsNobody(pty.path), /its mode 600 does not let its group \w+ in/);
  await pty.close();
});

test("the binding's own errors become words of ours", (t) => {
  const explain = (text: string) => explainOpenError('/dev/ttyUSB0', text, '123456 8N1', undefined);
  t.is(explain('Error Resource temporarily unavailable Cannot lock port').trouble, 'busy');
  t.is(explain('Error: Operation not permitted, cannot open /dev/ttyUSB0').trouble, 'no-permission');
  t.is(explain('Error: No such device, cannot open /dev/ttyUSB0').trouble, 'missing');
  const settings = explain('Error: Invalid argument || while setting custom baud rate of 123456');
  t.is(settings.trouble, 'io-error');
  t.true(settings.message.startsWith('cannot open /dev/ttyUSB0 with 123456 8N1: Invalid argument'), settings.message);
});

test('changed resolves when the link of an unplugged device is there again', async (t) => {
  const dir = tempDir();
  const link = join(dir, 'ttyDEVICE');
  const opener = makeOpener(config(link), { ...deps, dev: dir });
  const first = await openPty({ link });
  const open = await openWatched(opener);
  await first.unplug();
  await eventually(() => open.losses.length === 1, 'the loss');
  await open.link.close();
  t.is((await troubleOf(opener.open(forever))).trouble, 'missing');
  const changed = opener.changed?.(forever);
  const second = await openPty({ link });
  const began = performance.now();
  await changed;
  t.true(performance.now() - began < SOON_MS);
  const again = await openWatched(opener);
  await again.link.close();
  await second.close();
  rmSync(dir, { recursive: true });
});

test('changed notices a directory on the way to the node, and ends when asked to', async (t) => {
  const dir = tempDir();
  const opener = makeOpener(config(join(dir, 'serial/by-id/usb-x')), { ...deps, dev: dir });
  const stop = new AbortController();
  let isDone = false;
  const changed = opener.changed?.(stop.signal).then(() => (isDone = true));
  writeFileSync(join(dir, 'unrelated'), '');
  t.false(isDone);
  mkdirSync(join(dir, 'serial'));
  await changed;
  const next = opener.changed?.(stop.signal);
  stop.abort();
  await next;
  await opener.changed?.(stop.signal);
  rmSync(dir, { recursive: true });
  t.pass();
});

test('changed resolves for a node that came between the failed open and the watch', async (t) => {
  const dir = tempDir();
  const link = join(dir, 'ttyDEVICE');
  const opener = makeOpener(config(link), { ...deps, dev: dir });
  t.is((await troubleOf(opener.open(forever))).trouble, 'missing');
  const pty = await openPty({ link });
  await opener.changed?.(forever);
  await pty.close();
  rmSync(dir, { recursive: true });
});

test('changed resolves for a device that was back before its loss was noticed', async (t) => {
  const dir = tempDir();
  const link = join(dir, 'ttyDEVICE');
  const opener = makeOpener(config(link), { ...deps, dev: dir });
  const first = await openPty({ link });
  const open = await openWatched(opener);
  const unplugged = first.unplug();
  const second = await openPty({ link });
  await unplugged;
  await eventually(() => open.losses.length === 1, 'the loss');
  const began = performance.now();
  const [stop, limit] = [new AbortController(), setTimeout(() => stop.abort(), SOON_MS)];
  await opener.changed?.(stop.signal);
  clearTimeout(limit);
  t.false(stop.signal.aborted, 'it was not left to the backoff');
  t.true(performance.now() - began < SOON_MS);
  await open.link.close();
  await second.close();
  rmSync(dir, { recursive: true });
});

test('changed waits on a port that was lost and is still the same node', async (t) => {
  const dir = tempDir();
  const pty = await openPty({ link: join(dir, 'ttyDEVICE') });
  const opener = makeOpener(config(pty.path), { ...deps, dev: dir });
  const open = await openWatched(opener);
  await open.link.close();
  const stop = new AbortController();
  let isAwake = false;
  const changed = opener.changed?.(stop.signal).then(() => (isAwake = true));
  await new Promise((resolve) => setTimeout(resolve, 100)); // longer than nodes take to settle
  t.false(isAwake);
  stop.abort();
  await changed;
  await pty.close();
  rmSync(dir, { recursive: true });
});

test('what others write to a busy port does not wake us, a new node does', async (t) => {
  const dir = tempDir();
  const path = join(dir, 'ttyBUSY');
  writeFileSync(path, '');
  const opener = makeOpener(config(path), { ...deps, dev: dir });
  const stop = new AbortController();
  let isAwake = false;
  const changed = opener.changed?.(stop.signal).then(() => (isAwake = true));
  for (let i = 0; i < 20; i++) {
    appendFileSync(path, 'bytes');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  t.false(isAwake);
  writeFileSync(join(dir, 'fresh'), '');
  renameSync(join(dir, 'fresh'), path);
  await changed;
  t.true(isAwake);
  rmSync(dir, { recursive: true });
});

test('flow control, odd settings and any baud rate open, and a write on them is taken', async (t) => {
  for (const more of [
    { rtscts: true },
    { data_bits: 7, parity: 'even', stop_bits: 2 },
    { baud_rate: 123_456 },
  ] as const) {
    const pty = await openPty();
    const { link } = await openWatched(makeOpener(config(pty.path, more), deps));
    t.is(await link.write(Buffer.from('hello')), 'written');
    await link.close();
    await pty.close();
  }
});

test('fifty opens and closes leave no descriptor behind', async (t) => {
  const dir = tempDir();
  const link = join(dir, 'ttyDEVICE');
  const descriptors = (): number => readdirSync('/proc/self/fd').length;
  const opener = makeOpener(config(link), { ...deps, dev: dir });
  const round = async (): Promise<void> => {
    const stop = new AbortController();
    const watching = opener.changed?.(stop.signal);
    const pty = await openPty({ link });
    const { link: open } = await openWatched(opener);
    stop.abort();
    await watching;
    await open.close();
    await pty.close();
  };
  await round(); // loads what is loaded once
  const before = descriptors();
  for (let i = 0; i < 50; i++) await round();
  await eventually(() => descriptors() <= before, 'the descriptors to be as few as before');
  t.pass();
  rmSync(dir, { recursive: true });
});

/** What the process holds in buffers after a full garbage collection, KiB. */
function buffersKiB(): number {
  setFlagsFromString('--expose-gc');
  const gc: () => void = runInNewContext('gc');
  gc();
  return Math.round(process.memoryUsage().arrayBuffers / 1024);
}

test.serial('a hundred unplugs leave no buffer of a closed port behind', async (t) => {
  const dir = tempDir();
  const link = join(dir, 'ttyDEVICE');
  const opener = makeOpener(config(link), { ...deps, dev: dir });
  const round = async (): Promise<void> => {
    const pty = await openPty({ link });
    const open = await openWatched(opener);
    await pty.write('hello\n');
    await eventually(() => open.bytes().length > 0, 'the line');
    await pty.unplug();
    await eventually(() => open.losses.length === 1, 'the loss');
    await open.link.close();
  };
  await round();
  const before = buffersKiB();
  for (let i = 0; i < 100; i++) await round();
  // A buffer is 16 KiB. Waited for: what a collection frees, it gives back a moment later.
  await eventually(() => buffersKiB() - before < 200, 'the buffers to be given back');
  t.pass();
  rmSync(dir, { recursive: true });
});
