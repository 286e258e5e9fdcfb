// The rig against the real gateway: what a user's test relies on, what a failing one prints, and that nothing is left behind.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { type Rig, RigError, type RigOptions, rig } from '../../src/hil/hil.js';
import { PtyUnavailableError } from '../../src/hil/pty.js';
import { startRig } from '../../src/hil/rig-start.js';
import { eventually } from '../support/eventually.js';
import { openNow } from '../support/process-figures.js';
import { allowForSoak, repeats } from '../support/soak.js';

const CYCLES = repeats(5, 50);
const HIL = fileURLToPath(new URL('../../src/hil/hil.js', import.meta.url));

const rigFor = async (t: ExecutionContext, config: RigOptions['config']): Promise<Rig> => {
  const bench = await rig({ config });
  t.teardown(() => bench.stop());
  return bench;
};

const isAlive = (pid: number): boolean => existsSync(`/proc/${pid}`);

test.serial('devices on a serial port and on TCP: readings, commands, answers, requests', async (t) => {
  const bench = await rigFor(t, {
    devices: { scale: { driver: 'lines' }, 'hall/cell': { driver: 'json-lines' } },
  });
  const [scale, cell] = await Promise.all([bench.serial('scale'), bench.tcp('hall/cell')]);
  t.regex(scale.link, /^serial:/);
  t.regex(cell.link, /^tcp:/);

  cell.send('{"c":21.5,"unit":"C"}\n');
  const reading = await bench.expect('hall/cell', { c: 21.5 });
  t.deepEqual([reading.topic, reading.json], ['hall/cell', { c: 21.5, unit: 'C' }]);

  scale.reply({ tare: 'OK\r\n' });
  await bench.publish('scale/set', 'tare');
  t.deepEqual(await scale.expect('tare\n'), Buffer.from('tare\n'));
  await bench.expect('scale', /^OK/);
  await bench.expect('scale/response', { status: 'ok' });

  const { state, driver, counters } = await bench.state('scale');
  t.deepEqual([state, driver, counters.commands], ['online', 'lines', 1]);
  t.like(await bench.request('health_check'), { healthy: true });
  await t.throwsAsync(bench.request('nonsense'), { instanceOf: RigError, message: /unknown request "nonsense"/ });
  t.is((await bench.stop()).code, 0);
});

test.serial('a device that talks on a schedule goes on while others are put on, and loses nothing', async (t) => {
  const bench = await rigFor(t, { devices: { a: { driver: 'lines' }, b: { driver: 'lines' } } });
  const a = await bench.serial('a');
  const seen: number[] = [];
  bench.onMessage(({ topic, text }) => {
    if (topic === 'a') seen.push(Number(text));
  });
  let sent = 0;
  a.play({ everyMs: 5, next: () => `${sent++}\n` });
  await bench.tcp('b');
  await eventually(() => seen.length > 30, 'readings');
  a.hush();
  await bench.expect('a', String(sent - 1));
  t.deepEqual(
    seen,
    Array.from({ length: sent }, (_, i) => i),
  );
});

test.serial('the last words of a gateway reach device and topics, and can be expected after the end', async (t) => {
  const bench = await rigFor(t, 'devices:\n  valve: { driver: raw, on_shutdown: "close\\n" } # as in ferrule.yaml\n');
  const valve = await bench.tcp('valve');
  await bench.stop();
  await valve.expect('close\n');
  await bench.expect('valve/availability', { state: 'offline' });
  await bench.expect('bridge/state', { state: 'offline' });
  await t.throwsAsync(bench.expect('valve', /./), { message: /the rig has ended/ });
  await t.throwsAsync(bench.serial('valve'), { message: /already/ });
});

test.serial('a failing expectation shows what happened on wires and topics, and the log from warn on', async (t) => {
  const bench = await rigFor(t, { devices: { scale: { driver: 'lines' } } });
  const scale = await bench.tcp('scale');
  scale.send('ST,GS\r\n');
  await bench.expect('scale', /ST/);
  await bench.publish('scale/set', 'tare');
  await scale.expect('tare');
  await scale.unplug();
  await bench.expect('scale/availability', { state: 'offline' });
  const error = await t.throwsAsync(bench.expect('scales', { kg: /1/ }, 50), { instanceOf: RigError });
  const lines = String(error?.message).split('\n');
  t.is(
    lines[0],
    'expected {"kg":"/1/"} on "scales": waited 50 ms in vain; nothing ever came there, only on scale, scale/availability, scale/response',
  );
  const text = lines.slice(2).join('\n');
  t.regex(text, /scale +=> 53 54 2c 47 53 0d 0a +"ST,GS\\r\\n"/);
  t.regex(text, /mqtt +-> scale "ST,GS\\r"/);
  t.regex(text, /mqtt +<- scale\/set "tare"/);
  t.regex(text, /scale +<= 74 61 72 65 0a +"tare\\n"/);
  t.regex(text, /scale +!! unplugged/);
  t.regex(text, /log warn +scale\/manager: link lost/);
  for (const line of lines.slice(1)) t.true(line.length <= 118, line);
  const times = lines.slice(2).map((line) => Number.parseFloat(line));
  t.deepEqual(
    times,
    times.toSorted((one, other) => one - other),
  );
  await t.throwsAsync(scale.expect(/zero/, 20), {
    message: /^device "scale" expects \/zero\/ from the gateway: waited 20 ms in vain\n/,
  });
  t.log(`\n${error?.message}`);
});

test.serial('a gateway that does not come up: the error shows why, and nothing is left behind', async (t) => {
  const before = openNow(process.pid);
  const folders = rigFolders();
  const error = await t.throwsAsync(rig({ config: { log: { level: 'loud' } } }), { code: 'rig-start' });
  t.regex(error?.message ?? '', /^the gateway did not come up: it ended with code 78\n/);
  t.regex(error?.message ?? '', /log\.level: expected .* got "loud"/);
  await t.throwsAsync(rig({ config: 'a: [' }), { code: 'rig-config' });
  t.deepEqual(rigFolders(), folders);
  await eventually(() => openNow(process.pid) <= before, 'the files to be closed');
});

test.serial('a device whose config is bad, or that there is none of, is told when it is put on', async (t) => {
  const bench = await rigFor(t, { devices: { a: { driver: 'nix' }, b: { driver: 'lines' } } });
  await t.throwsAsync(bench.serial('c'), { message: 'no device "c" in the config of the rig; there are a, b' });
  await t.throwsAsync(bench.serial('a'), { message: /devices\.a\.driver: no driver "nix"/ });
});

test.serial('where there are no ptys a serial device is on TCP, which is said in one line', async (t) => {
  const said: string[] = [];
  const none = async (): Promise<never> => {
    throw new PtyUnavailableError('koffi does not load');
  };
  const config = { devices: { scale: { driver: 'lines', link: { type: 'serial', baud_rate: 115200 } } } };
  const bench = await startRig({ config, say: (line) => said.push(line) }, { openPty: none });
  t.teardown(() => bench.stop());
  const scale = await bench.serial('scale');
  scale.send('hello\n');
  await bench.expect('scale', 'hello');
  t.regex(String((await bench.state('scale')).link), /^tcp:/);
  t.deepEqual(said, [
    'ferrule/hil: ptys are not available here: koffi does not load; serial devices are on TCP instead',
  ]);
});

test.serial('a gateway that dies is seen as its broker sees it, and a failing expectation says so', async (t) => {
  const bench = await rigFor(t, {});
  bench.signal('SIGKILL');
  await bench.expect('bridge/state', { state: 'offline' });
  await t.throwsAsync(bench.expect('scale', /./, 100), {
    message: /\nthe gateway has ended with SIGKILL:\n.* info {2}/s,
  });
});

test.serial('a gateway that does not end is killed', async (t) => {
  const bench = await rig({ config: {}, stopWithinMs: 200 });
  bench.signal('SIGSTOP');
  t.deepEqual(await bench.stop(), { code: null, signal: 'SIGKILL' });
  t.false(isAlive(bench.pid));
});

test.serial('a test process that is killed takes its gateway and its folder with it', async (t) => {
  const script = `
    import { rig } from ${JSON.stringify(HIL)};
    const bench = await rig({ config: {} });
    console.log(bench.pid + ' ' + bench.dir);
    setInterval(() => {}, 1000);`;
  const { child, gateway, dir } = await rigElsewhere(t, script);
  child.kill('SIGKILL');
  await eventually(() => !isAlive(gateway), 'the end of the gateway');
  t.false(existsSync(dir));
});

test.serial(
  'a test process that is killed takes its gateway with it even where a driver never comes back',
  async (t) => {
    const drivers = mkdtempSync(path.join(tmpdir(), 'ferrule-drivers-'));
    t.teardown(() => rmSync(drivers, { recursive: true }));
    const hung = path.join(drivers, 'hung');
    writeFileSync(path.join(drivers, 'hang.js'), hangingDriver(hung));
    const config = { drivers_dir: drivers, devices: { d: { driver: 'hang', framing: { type: 'line' } } } };
    const script = `
    import { rig } from ${JSON.stringify(HIL)};
    const bench = await rig({ config: ${JSON.stringify(config)} });
    const device = await bench.tcp('d');
    console.log(bench.pid + ' ' + bench.dir);
    device.send('hello\\n');
    setInterval(() => {}, 1000);`;
    const { child, gateway, dir } = await rigElsewhere(t, script);
    t.teardown(() => isAlive(gateway) && process.kill(gateway, 'SIGKILL'));
    await eventually(() => existsSync(hung), 'the driver to hang');
    child.kill('SIGKILL');
    await eventually(() => !isAlive(gateway), 'the end of the gateway');
    t.false(existsSync(dir));
  },
);

test.serial('overrides of a config in this environment do not reach the gateway of a rig', async (t) => {
  process.env.FERRULE_LOG__LEVEL = 'nonsense';
  t.teardown(() => delete process.env.FERRULE_LOG__LEVEL);
  const bench = await rig({ config: {}, env: { FERRULE_GATEWAY__SHUTDOWN_DEADLINE: '3s' } });
  await bench.stop();
  t.pass();
});

test.serial('a rig that goes out of scope is stopped', async (t) => {
  let pid = 0;
  {
    await using bench = await rig({ config: {} });
    pid = bench.pid;
    t.true(isAlive(pid));
  }
  t.false(isAlive(pid));
});

test.serial(`${CYCLES} rigs, one after the other, leave no process, file, pty, folder or thread behind`, async (t) => {
  allowForSoak(t);
  const oneCycle = async (): Promise<Rig> => {
    const bench = await rig({ config: { devices: { a: { driver: 'lines' }, b: { driver: 'lines' } } } });
    const [a, b] = await Promise.all([bench.serial('a'), bench.tcp('b')]);
    a.play({ everyMs: 5, next: () => 'tick\n' });
    await bench.expect('a', 'tick');
    b.delay(20);
    b.send('late\n');
    await a.unplug();
    await b.reset();
    await bench.stop();
    return bench;
  };
  await oneCycle(); // what the first one loads is no leak
  const before = figures();
  for (let cycle = 0; cycle < CYCLES; cycle += 1) {
    const bench = await oneCycle();
    t.false(isAlive(bench.pid));
    t.false(existsSync(bench.dir));
  }
  const isAsBefore = (): boolean => {
    const now = figures();
    return Object.entries(before).every(([what, count]) => now[what as keyof typeof now] <= count);
  };
  await eventually(isAsBefore, `everything to be as before: ${JSON.stringify(before)}`);
  t.log(before, figures());
});

test.serial('a board that is only starting when the rig ends is ended, too', async (t) => {
  const bench = await rigFor(t, {
    devices: { uno: { driver: 'firmata', options: { pins: { led: { mode: 'output', pin: 13 } } } } },
  });
  bench.signal('SIGKILL'); // so that the rig has ended before the board has started
  await eventually(() => !isAlive(bench.pid), 'the end of the gateway');
  const before = figures().threads;
  const board = t.throwsAsync(bench.avr('uno'), { instanceOf: RigError, code: 'rig-ended' });
  await eventually(() => figures().threads > before, 'its thread');
  await bench.stop();
  await board;
  await eventually(() => figures().threads <= before, 'the end of its thread');
});

/** Runs a script that starts a rig and prints the gateway's pid and folder, in a process of its own. */
async function rigElsewhere(t: ExecutionContext, script: string) {
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  const [chunk] = await once(child.stdout, 'data');
  const [pid, dir = ''] = String(chunk).trim().split(' ');
  const gateway = Number(pid);
  t.true(isAlive(gateway) && existsSync(dir));
  return { child, gateway, dir };
}

/** A driver whose decoder makes this file, and then an endless loop. */
function hangingDriver(file: string): string {
  return `
    import { writeFileSync } from 'node:fs';
    export default {
      kind: 'framed',
      summary: 'hangs',
      options: { safeParse: () => ({ success: true, data: {} }) },
      create: () => ({
        decode() {
          writeFileSync(${JSON.stringify(file)}, '');
          for (;;);
        },
      }),
    };`;
}

/** What this process holds. */
function figures(): { files: number; ptys: number; children: number; threads: number } {
  const links = readdirSync('/proc/self/fd').map(linkOf);
  const children = readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').split(' ').filter(Boolean);
  const threads = Number(/^Threads:\s+(\d+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
  const ptys = links.filter((link) => link.includes('ptmx')).length;
  return { files: openNow(process.pid), ptys, children: children.length, threads };
}

function linkOf(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return ''; // the one that read the folder
  }
}

function rigFolders(): string[] {
  return readdirSync(tmpdir()).filter((name) => name.startsWith('ferrule-rig-'));
}
