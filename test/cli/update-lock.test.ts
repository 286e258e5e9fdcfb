import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { type Flock, UpdateLock } from '../../src/cli/update-lock.js';
import { RecordingLog } from '../support/recording-log.js';

const ON_BALENA = { BALENA: '1' };

interface Bench {
  readonly file: string;
  readonly log: RecordingLog;
  open(loadFlock?: () => Promise<Flock>): Promise<UpdateLock>;
}

function benchFor(t: ExecutionContext): Bench {
  const dir = mkdtempSync(path.join(tmpdir(), 'ferrule-lock-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  const file = path.join(dir, 'updates.lock');
  const log = new RecordingLog();
  return {
    file,
    log,
    async open(loadFlock) {
      const lock = await UpdateLock.open({ env: ON_BALENA, log, file, ...(loadFlock && { loadFlock }) });
      if (lock === undefined) throw new Error('no lock, though this is balena');
      return lock;
    },
  };
}

/** As the host OS asks: util-linux's flock, which does not wait. */
function isFlocked(file: string): boolean {
  try {
    execFileSync('flock', ['--nonblock', file, 'true']);
    return false;
  } catch {
    return true;
  }
}

test('there is no update lock where there is no balena', async (t) => {
  const { file, log } = benchFor(t);
  t.is(await UpdateLock.open({ env: {}, log, file }), undefined);
});

test('either of the variables that balena sets says that this is balena', async (t) => {
  const { file, log } = benchFor(t);
  t.not(await UpdateLock.open({ env: { BALENA_DEVICE_UUID: 'abc' }, log, file }), undefined);
});

test('while work runs the file is there and flocked; afterwards it is gone', async (t) => {
  const { file, log, open } = benchFor(t);
  const lock = await open();
  t.false(existsSync(file));
  await lock.during(async () => {
    t.true(existsSync(file));
    t.true(isFlocked(file));
  });
  t.false(existsSync(file));
  t.deepEqual(log.at('warn'), []);
});

test('work that throws lets go of the lock too', async (t) => {
  const { file, open } = benchFor(t);
  const lock = await open();
  await t.throwsAsync(
    lock.during(async () => {
      throw new Error('cut short');
    }),
    { message: 'cut short' },
  );
  t.false(existsSync(file));
});

test('work that overlaps shares the lock, and the last one out lets go', async (t) => {
  const { file, open } = benchFor(t);
  const lock = await open();
  let end = (): void => {};
  const long = lock.during(() => new Promise<void>((resolve) => (end = resolve)));
  await lock.during(async () => {});
  t.true(existsSync(file), 'the short work has ended, the long has not');
  end();
  await long;
  t.false(existsSync(file));
});

test('a lock of the supervisor is left alone, at the start and afterwards', async (t) => {
  const { file, log, open } = benchFor(t);
  writeFileSync(file, '');
  const lock = await open();
  t.is(await lock.during(async () => 'done'), 'done');
  t.true(existsSync(file));
  t.deepEqual(log.at('warn'), []);
});

test('a lock that a killed gateway left is removed at the next start', async (t) => {
  const { file, log, open } = benchFor(t);
  writeFileSync(file, 'ferrule\n');
  await open();
  t.false(existsSync(file));
  t.truthy(log.find('killed'));
});

test('a lock that another gateway holds is left alone', async (t) => {
  const { file, open } = benchFor(t);
  writeFileSync(file, 'ferrule\n');
  const holder = spawn('flock', ['--no-fork', file, 'sh', '-c', 'echo held; exec sleep 30']);
  t.teardown(() => holder.kill('SIGKILL'));
  await once(holder.stdout, 'data');
  await open();
  t.true(existsSync(file));
});

test('a file that somebody put in the place of ours is not removed', async (t) => {
  const { file, open } = benchFor(t);
  const lock = await open();
  await lock.during(async () => {
    rmSync(file);
    writeFileSync(`${file}.new`, ''); // another inode for sure, as long as ours is open
    execFileSync('mv', [`${file}.new`, file]);
  });
  t.is(readFileSync(file, 'utf8'), '');
});

test('where flock cannot be had the file alone is the lock', async (t) => {
  const { file, log, open } = benchFor(t);
  writeFileSync(file, 'ferrule\n');
  const lock = await open(() => Promise.reject(new Error('no koffi here')));
  t.false(existsSync(file));
  await lock.during(async () => t.true(existsSync(file)));
  t.false(existsSync(file));
  t.truthy(log.find('no koffi here'));
});

test('a folder that is not there is told, and the work is done all the same', async (t) => {
  const log = new RecordingLog();
  const lock = await UpdateLock.open({ env: ON_BALENA, log, file: '/nonexistent/updates.lock' });
  t.is(await lock?.during(async () => 'done'), 'done');
  t.truthy(log.find('cannot be taken'));
});
