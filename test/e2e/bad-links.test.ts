// Links in trouble: ports that are missing, busy or forbidden, peers that refuse, keep silent or hang up, drivers that crash.
// Each time a message that names the device and the way out, and a neighbour that loses nothing.

import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { openPty, type Pty } from '../../src/hil/pty.js';
import { cannotDropRoot, withoutRoot } from '../support/drop-root.js';
import { brokerTest } from '../support/e2e-test.js';
import { eventually } from '../support/eventually.js';
import { folderFor } from '../support/ferrule-command.js';
import { freePort } from '../support/mosquitto.js';
import { openNamedPty } from '../support/named-pty.js';
import { startTcpDevice, type TcpDevice } from '../support/tcp-device.js';
import { startTrouble } from '../support/trouble-rig.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
/** Backoff that does not help within a test: who comes back has been told. */
const PATIENT = { first: '10m', max: '10m' };
const BRISK = { first: 100, max: 100 };

async function ptyFor(t: ExecutionContext, link?: string): Promise<Pty> {
  const pty = await (link === undefined ? openNamedPty() : openPty({ link }));
  t.teardown(() => pty.close());
  return pty;
}

async function tcpDeviceFor(t: ExecutionContext, port = 0): Promise<TcpDevice> {
  const device = await startTcpDevice(port);
  t.teardown(() => device.close());
  return device;
}

brokerTest('a port that is missing is named with those that are there, and online as soon as it comes', async (t) => {
  const port = path.join(folderFor(t), 'by-id-scale');
  const rig = await startTrouble(t, {
    devices: { scale: { driver: 'lines', link: `serial:${port}`, reconnect: PATIENT } },
  });
  const line = await rig.says('scale', 'no such port');
  t.is(line.level, 'warn');
  t.regex(
    line.msg,
    new RegExp(
      `^no such port ${port}; (ports here: /dev/|there are no serial ports here).*ferrule ports.*; trying again until it works$`,
    ),
  );
  t.like(await rig.shows('scale', 'backing-off'), { driver: 'lines' });
  const plugged = performance.now();
  const pty = await ptyFor(t, port);
  await rig.says('scale', 'online on');
  const tookMs = performance.now() - plugged;
  t.log(`online ${Math.round(tookMs)} ms after the port appeared`);
  t.true(tookMs < 20_000, `${tookMs} ms`); // not by the backoff, which takes minutes
  await pty.write('12 kg\n');
  t.deepEqual((await rig.payloads('scale', 1)).map(String), ['12 kg']);
  await rig.neighbourIsWhole();
});

/** A process that has a port open until it is told to let go. */
async function hold(t: ExecutionContext, port: string): Promise<{ pid: number; letGo(): void }> {
  const code = `require('fs').openSync(process.argv[1], 'r+'); console.log('held'); process.stdin.resume()`;
  const child = spawn(process.execPath, ['-e', code, port], { stdio: ['pipe', 'pipe', 'inherit'] });
  t.teardown(() => void child.kill('SIGKILL'));
  await new Promise((resolve) => child.stdout.once('data', resolve));
  return { pid: child.pid ?? 0, letGo: () => void child.kill() };
}

brokerTest(
  'a port that is busy is named with pid and command of its holder, and online once that has let go',
  async (t) => {
    const pty = await ptyFor(t);
    const holder = await hold(t, pty.path);
    const rig = await startTrouble(t, {
      config: { log: { level: 'debug' } },
      devices: { scale: { driver: 'lines', link: `serial:${pty.path}`, reconnect: BRISK } },
    });
    const { msg, level } = await rig.says('scale', 'is held by');
    t.is(level, 'warn');
    t.true(msg.startsWith(`${pty.path} is held by pid ${holder.pid} (${process.execPath} -e require('fs')`), msg);
    t.true(msg.includes('stop that program to free the port'), msg);
    await eventually(() => rig.gateway.log.length > 0, 'the log');
    holder.letGo();
    await rig.says('scale', 'online on');
    const warnings = rig.gateway.log.filter(({ level, msg }) => level === 'warn' && msg.includes('is held by'));
    t.is(warnings.length, 1, 'said once, however often it was tried');
    await pty.write('after\n');
    t.deepEqual((await rig.payloads('scale', 1)).map(String), ['after']);
    await rig.neighbourIsWhole();
  },
);

function forbiddenTest(title: string, body: (t: ExecutionContext) => Promise<void>): void {
  if (cannotDropRoot === undefined) brokerTest(title, body);
  else test.skip(`${title} (${cannotDropRoot})`, () => {});
}

forbiddenTest(
  'a port without permission is named with the group that has it and the command, and online once allowed',
  async (t) => {
    const pty = await ptyFor(t);
    const group = groupName(statSync(pty.path).gid);
    chmodSync(pty.path, 0o060); // for the group alone
    const rig = await startTrouble(t, {
      devices: { scale: { driver: 'lines', link: `serial:${pty.path}`, reconnect: BRISK } },
      env: withoutRoot(t),
    });
    const { msg } = await rig.says('scale', 'no permission');
    t.regex(
      msg,
      new RegExp(
        `^no permission for ${pty.path}; it belongs to group ${group}: \`sudo usermod -aG ${group} \\S+\`, then log in again or restart the service`,
      ),
    );
    chmodSync(pty.path, 0o600);
    if (process.getuid?.() === 0) {
      const closed = await rig.says('scale', 'its mode 600');
      t.regex(closed.msg, new RegExp(`does not let its group ${group} in: .*chmod g\\+rw ${pty.path}`));
    }
    chmodSync(pty.path, 0o666);
    await rig.says('scale', 'online on');
    await pty.write('allowed\n');
    t.deepEqual((await rig.payloads('scale', 1)).map(String), ['allowed']);
    await rig.neighbourIsWhole();
  },
);

function groupName(gid: number): string {
  const line = readFileSync('/etc/group', 'utf8')
    .split('\n')
    .find((entry) => entry.split(':')[2] === String(gid));
  return line?.split(':')[0] ?? String(gid);
}

brokerTest(
  'a TCP device that nobody answers for is named with its address, and online once somebody listens',
  async (t) => {
    const port = await freePort();
    const rig = await startTrouble(t, {
      devices: {
        cell: { driver: 'lines', link: `tcp://127.0.0.1:${port}`, reconnect: BRISK },
        nowhere: { driver: 'lines', link: 'tcp://no-such-host.invalid:4001', reconnect: BRISK },
      },
    });
    const { msg } = await rig.says('cell', 'nobody listens');
    t.is(msg, `nobody listens on 127.0.0.1:${port}; is the device on, is the port right?; trying again until it works`);
    t.regex((await rig.says('nowhere', 'no-such-host.invalid:4001')).msg, /resolver; is it spelled right/);
    const device = await tcpDeviceFor(t, port);
    await rig.says('cell', 'online on');
    (await device.connection()).write('here\n');
    t.deepEqual((await rig.payloads('cell', 1)).map(String), ['here']);
    await rig.neighbourIsWhole();
  },
);

brokerTest(
  'a peer that accepts and says nothing is silent in the log and bridge/devices; with idle_timeout it is called anew',
  async (t) => {
    const [mute, idle] = [await tcpDeviceFor(t), await tcpDeviceFor(t)];
    const rig = await startTrouble(t, {
      devices: {
        mute: { driver: 'lines', link: `tcp://127.0.0.1:${mute.port}`, silent_after: 200 },
        idle: {
          driver: 'lines',
          link: { type: 'tcp', host: '127.0.0.1', port: idle.port, idle_timeout: 300 },
          reconnect: BRISK,
        },
      },
    });
    const silent = await rig.says('mute', 'nothing received for');
    t.is(silent.level, 'warn');
    t.regex(silent.msg, /200 ms although the link is open: is the device on, are baud rate and wiring right\?/);
    t.like(await rig.shows('mute', 'silent'), { reason: 'nothing received for 200 ms' });
    t.regex((await rig.says('idle', 'idle_timeout')).msg, /nothing received for 0\.3 s \(idle_timeout\)/);
    await eventually(() => idle.accepted >= 2, 'a second call');
    t.is(mute.accepted, 1, 'without idle_timeout the connection stays');
    (await mute.connection()).write('hello\n');
    await rig.says('mute', 'the device speaks again');
    t.deepEqual((await rig.payloads('mute', 1)).map(String), ['hello']);
    await rig.neighbourIsWhole();
  },
);

brokerTest(
  'a peer that resets the connection is named, called again, and what it had said before has arrived',
  async (t) => {
    const device = await tcpDeviceFor(t);
    const rig = await startTrouble(t, {
      devices: { cell: { driver: 'lines', link: `tcp://127.0.0.1:${device.port}`, reconnect: BRISK } },
    });
    for (const text of ['one', 'two', 'three']) {
      const socket = await device.connection();
      socket.write(`${text}\n`);
      await rig.payloads('cell', ['one', 'two', 'three'].indexOf(text) + 1);
      const before = device.accepted;
      socket.resetAndDestroy();
      await eventually(() => device.accepted > before, 'the next call');
    }
    const { msg, level } = await rig.says('cell', 'link lost');
    t.is(level, 'warn');
    t.regex(
      msg,
      new RegExp(`link lost: tcp 127\\.0\\.0\\.1:${device.port}: the peer broke the connection; trying again`),
    );
    t.deepEqual((await rig.payloads('cell', 3)).map(String), ['one', 'two', 'three']);
    await rig.says('cell', 'online again');
    await rig.neighbourIsWhole();
  },
);

brokerTest('a listener whose port is taken says so, and listens once the port is free', async (t) => {
  const taken = await tcpDeviceFor(t);
  const rig = await startTrouble(t, {
    devices: { sensors: { driver: 'lines', link: { type: 'tcp-listen', port: taken.port, peer: 'peer-{n}' } } },
  });
  const { msg, level } = await rig.says('sensors', 'cannot listen');
  t.is(level, 'warn');
  const where = `127\\.0\\.0\\.1:${taken.port}`;
  t.regex(
    msg,
    new RegExp(`^cannot listen on ${where}: another process does already \\(ss -ltnp shows which\\); choose`),
  );
  await rig.shows('sensors', 'backing-off');
  await taken.close();
  await rig.says('sensors', 'listening on');
  const caller = net.connect(taken.port, '127.0.0.1');
  t.teardown(() => caller.destroy());
  caller.write('here\n');
  t.deepEqual((await rig.payloads('sensors/peer-1', 1)).map(String), ['here']);
  await rig.neighbourIsWhole();
});

const THROWING_DRIVER = `import { defineDriver, z } from 'ferrule/driver';
export default defineDriver({
  kind: 'framed',
  summary: 'A driver with a bug',
  options: z.strictObject({}),
  create: () => ({
    decode(frame) {
      throw new TypeError('cannot read weight of ' + frame);
    },
  }),
});
`;

brokerTest(
  'a driver that throws at every frame is parked after five restarts, with its reason, and harms nobody',
  async (t) => {
    const drivers = folderFor(t, { 'buggy.js': THROWING_DRIVER, 'package.json': '{"type":"module"}' });
    mkdirSync(path.join(drivers, 'node_modules'));
    symlinkSync(ROOT, path.join(drivers, 'node_modules/ferrule')); // as `npm link ferrule` does
    const pty = await ptyFor(t);
    const rig = await startTrouble(t, {
      config: { drivers_dir: drivers },
      devices: { scale: { driver: 'buggy', link: `serial:${pty.path}`, reconnect: { first: 10, max: 20 } } },
    });
    const talk = setInterval(() => void pty.write('12 kg\n'), 10);
    t.teardown(() => clearInterval(talk));
    const { msg, level, err } = await rig.says('scale', 'parked');
    t.is(level, 'error');
    t.regex(
      msg,
      /^receive thread crashed: the driver threw in decode: cannot read weight of 12 kg; more than 5 crashes within 60 s: parked/,
    );
    t.regex(JSON.stringify(err), /buggy\.js:8/, 'the place in the driver');
    const shown = await rig.shows('scale', 'parked');
    t.regex(String(shown.reason), /cannot read weight of 12 kg/);
    t.is((shown.counters as Record<string, unknown>).crashes, 6);
    t.is(rig.gateway.log.filter(({ group, msg }) => group === 'scale' && msg.includes('restarting it')).length, 5);
    await rig.neighbourIsWhole();
  },
);
