// `ferrule demo` as a user has it: the built process, piped and on a terminal (tmux), seen from outside.

import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import mqtt, { type MqttClient } from 'mqtt';
import { eventually } from '../support/eventually.js';
import { ferrule, folderFor } from '../support/ferrule-command.js';
import { freePort } from '../support/mosquitto.js';

const MAIN = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
const DEMO = new URL('../../src/cli/demo.js', import.meta.url).href;
/** Generous: other tests run beside this one. */
const PATIENCE_MS = 30_000;
const DEVICES = ['gps', 'scale', 'thermometer', 'sensors/1', 'arduino'];

interface Demo {
  readonly child: ChildProcess;
  out(): string;
  err(): string;
  /** The exit code, or the signal that ended it. */
  readonly ended: Promise<number | string | null>;
}

/** Starts it; ends with the test if the test does not end it. */
function start(t: ExecutionContext, args: readonly string[]): Demo {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  let err = '';
  child.stdout.on('data', (text) => (out += text));
  child.stderr.on('data', (text) => (err += text));
  const ended = new Promise<number | string | null>((resolve) => {
    child.once('close', (code, signal) => resolve(code ?? signal));
  });
  t.teardown(() => void child.kill('SIGKILL'));
  return { child, out: () => out, err: () => err, ended };
}

/** An MQTT client that has nothing to do with the demo's own. */
function subscribe(t: ExecutionContext, port: number): { client: MqttClient; last: Map<string, string> } {
  const last = new Map<string, string>();
  const client = mqtt.connect(`mqtt://127.0.0.1:${port}`, { protocolVersion: 4, reconnectPeriod: 50 });
  client.on('connect', () => client.subscribe('ferrule/demo/#'));
  client.on('message', (topic, payload) => last.set(topic, payload.toString()));
  client.on('error', () => {}); // the broker is not there yet, or no more
  t.teardown(() => void client.end(true));
  return { client, last };
}

/** Those that it started and that still run. */
function childrenOf(pid: number): string {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
}

/** The lines that say what the LED's pin really did, in order. */
function pinLevels(out: string): string[] {
  return [...out.matchAll(/\[arduino\] hardware: pin 13 is (\w+)/g)].map(([, level = '']) => level);
}

test.serial(
  'the piped demo prints readings of every device, others see the same topics, and SIGTERM leaves nothing',
  async (t) => {
    const port = await freePort();
    const demo = start(t, [MAIN, 'demo', '--port', String(port)]);
    const { client, last } = subscribe(t, port);
    for (const device of DEVICES) {
      const topic = `ferrule/demo/${device}`;
      await eventually(() => demo.out().includes(` ${topic} `), `a line of ${device} in:\n${demo.out()}`, PATIENCE_MS);
      await eventually(() => last.has(topic), `a reading on ${topic}`, PATIENCE_MS);
    }
    t.regex(demo.out(), new RegExp(`mosquitto_sub -p ${port} -t 'ferrule/demo/#' -v`));
    t.regex(demo.out(), /\[gps\] online: serial \/dev\/pts\/\d+/);
    t.false(demo.out().includes('\x1b'), 'no escape codes in a pipe');

    client.publish('ferrule/demo/scale/set', 'tare');
    await eventually(() => demo.out().includes('OK,TARE'), 'the answer of the scale', PATIENCE_MS);
    await eventually(() => last.get('ferrule/demo/scale')?.includes(',NT,') === true, 'a net reading', PATIENCE_MS);

    const list = JSON.parse(last.get('ferrule/demo/bridge/devices') ?? '[]') as { link: string }[];
    const ptys = list.flatMap(({ link }) => /^serial:(\/dev\/pts\/\d+)/.exec(link)?.[1] ?? []);
    t.is(ptys.length, 3);
    t.true(ptys.every((pty) => existsSync(pty)));
    t.is(childrenOf(demo.child.pid ?? 0), '');
    const [, file = ''] = /status -c (\S+)/.exec(demo.out()) ?? [];
    const status = await ferrule('/', ['status', '-c', file]);
    t.is(status.code, 0, status.err);
    t.regex(status.out, /^arduino +online /m);
    const [, http = ''] = /curl (\S+\/health)/.exec(demo.out()) ?? [];
    t.is((await fetch(`http://${http}`)).status, 200);

    const askedAt = performance.now();
    demo.child.kill('SIGTERM');
    t.is(await demo.ended, 0);
    t.true(performance.now() - askedAt < 15_000);
    t.true(demo.out().endsWith('stopped cleanly\n'));
    t.is(demo.err(), '');
    // With the process its ptys are gone; so the numbers may already be somebody else's.
    t.false(existsSync(`/proc/${demo.child.pid}`));
    t.false(existsSync(path.dirname(file)), 'its folder');
  },
);

test.serial(
  'the LED of the board blinks, a command over MQTT reaches the pin of the chip, the knob is read',
  async (t) => {
    const port = await freePort();
    const demo = start(t, [MAIN, 'demo', '--port', String(port)]);
    const { client, last } = subscribe(t, port);
    const blinks = (): boolean => /\[arduino\] set\/led \{"blink":500\}: ok/.test(demo.out());
    await eventually(blinks, `the demo to let it blink in:\n${demo.out()}`, PATIENCE_MS);
    const before = pinLevels(demo.out()).length;
    await eventually(() => pinLevels(demo.out()).length >= before + 3, 'the pin to go to and fro', PATIENCE_MS);
    const [first, second, third] = pinLevels(demo.out()).slice(before);
    t.true(first !== second && first === third, `${first} ${second} ${third}`);

    for (const [command, level] of [
      ['off', 'low'],
      ['on', 'high'],
      ['off', 'low'],
    ] as const) {
      client.publish('ferrule/demo/arduino/set/led', command);
      await eventually(() => last.get('ferrule/demo/arduino/set/led') === command, 'the command', PATIENCE_MS);
      await eventually(
        () => demo.out().includes(`set/led ${command}: ok`) && pinLevels(demo.out()).at(-1) === level,
        `pin 13 to be ${level} in:\n${demo.out()}`,
        PATIENCE_MS,
      );
    }
    const knob = (): number => JSON.parse(last.get('ferrule/demo/arduino') ?? '{}').knob;
    const at = knob();
    t.true(at >= 0 && at <= 5);
    await eventually(() => knob() !== at, 'the knob to turn', PATIENCE_MS);
    demo.child.kill('SIGINT');
    t.is(await demo.ended, 0);
  },
);

/** The demo within a program of ours, which tells what is left of it afterwards. */
const COUNTED = `
  import { readdirSync, readlinkSync } from 'node:fs';
  import { setTimeout as sleep } from 'node:timers/promises';
  const { runDemo } = await import(${JSON.stringify(DEMO)});
  const out = (line) => process.stdout.write(line + '\\n');
  const threads = () => readdirSync('/proc/self/task').length;
  const ttys = () => readdirSync('/proc/self/fd').filter((fd) => {
    try { return /^\\/dev\\/(ptmx|pts)/.test(readlinkSync('/proc/self/fd/' + fd)); } catch { return false; }
  }).length;
  let most = 0;
  const look = setInterval(() => { most = Math.max(most, threads()); }, 50);
  const code = await runDemo({ port: 0, out, err: out, isTerminal: false, plugTimes: { inMs: 1500, outMs: 1000 } });
  clearInterval(look);
  const resources = () => process.getActiveResourcesInfo().filter((name) => /Worker|Message|Server|Socket|Timeout/.test(name));
  const isOver = () => ttys() === 0 && resources().length === 0 && most - threads() >= 2;
  for (let looks = 0; looks < 200 && !isOver(); looks += 1) await sleep(50); // what is closed is gone a moment later
  out('LEFT ' + JSON.stringify({ code, ttys: ttys(), fewer: most - threads(), resources: resources() }));
  process.exit(code);`;

test.serial(
  'the thermometer goes away and comes back, neighbours go on, and SIGINT leaves nothing of the demo',
  async (t) => {
    const demo = start(t, ['--input-type=module', '-e', COUNTED]);
    const says = (pattern: RegExp): Promise<void> =>
      eventually(() => pattern.test(demo.out()), `${pattern} in:\n${demo.out()}`, PATIENCE_MS);
    await says(/\[thermometer\] hardware: unplugged\n/);
    await says(/\[thermometer\] backing-off: /);
    const scaleAt = demo.out().length;
    await says(/\[thermometer\] hardware: plugged in again\n/);
    await eventually(
      () => / ferrule\/demo\/scale /.test(demo.out().slice(scaleAt)),
      'a line of the scale',
      PATIENCE_MS,
    );
    await says(/\[thermometer\] online again after [1-9]\d*\.\d s: tcp /);
    await says(/ ferrule\/demo\/arduino \{"led":true/);

    const askedAt = performance.now();
    demo.child.kill('SIGINT');
    t.is(await demo.ended, 0);
    t.true(performance.now() - askedAt < 15_000, `ended after ${performance.now() - askedAt} ms`);
    const left = JSON.parse(/^LEFT (.*)$/m.exec(demo.out())?.[1] ?? '{}');
    t.like(left, { code: 0, ttys: 0 });
    t.true(left.fewer >= 2, 'the threads of johnny-five and of the chip have ended');
    t.deepEqual(left.resources, []);
  },
);

test.serial('a port that was asked for and is taken is a usage error that says so', async (t) => {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as net.AddressInfo;
  const demo = start(t, [MAIN, 'demo', '--port', String(port)]);
  t.is(await demo.ended, 64);
  t.regex(demo.err(), new RegExp(`^--port: embedded broker on 127.0.0.1:${port}: the port is taken`));
  t.is(demo.out(), '');
  server.close();
});

test.serial('a port that is no port is a usage error', async (t) => {
  const demo = start(t, [MAIN, 'demo', '--port', 'xyz']);
  t.is(await demo.ended, 64);
  t.is(demo.err(), '--port: expected a port, 0 to 65535\n');
});

test.serial('where no temporary files can be made, the demo says so', async (t) => {
  const { code, err } = await ferrule(folderFor(t), ['demo'], { TMPDIR: '/nonexistent' });
  t.is(code, 1);
  t.regex(err, /^the demo needs a folder for temporary files: ENOENT.*; name one that can be written in TMPDIR\n$/);
});

test.serial('without a port asked for, one that is free is chosen where 1883 is taken', async (t) => {
  const server = net.createServer();
  await new Promise<void>((resolve) => {
    server.once('error', () => resolve()); // taken already: as good
    server.listen(1883, '127.0.0.1', resolve);
  });
  const code = `const { runDemo } = await import(${JSON.stringify(DEMO)});
    const out = (line) => process.stdout.write(line + '\\n');
    process.exit(await runDemo({ out, err: out, isTerminal: false }));`;
  const demo = start(t, ['--input-type=module', '-e', code]);
  await eventually(() => demo.out().includes(' ferrule/demo/scale '), 'a reading', PATIENCE_MS);
  const [, chosen = '0'] = /^port 1883 is taken.*: this one listens on (\d+)\n/.exec(demo.out()) ?? [];
  t.true(Number(chosen) > 0 && Number(chosen) !== 1883);
  t.true(demo.out().includes(`mosquitto_sub -p ${chosen} `));
  demo.child.kill('SIGINT');
  t.is(await demo.ended, 0);
  server.close();
});

test.serial('the demo ends by itself when nobody reads its output any more', async (t) => {
  const demo = start(t, [MAIN, 'demo', '--port', String(await freePort())]);
  await eventually(() => demo.out().includes('ferrule/demo/'), 'the first line', PATIENCE_MS);
  demo.child.stdout?.destroy();
  t.is(await demo.ended, 0);
  t.is(demo.err(), '');
});

const hasTmux = spawnSync('tmux', ['-V']).status === 0;

if (hasTmux)
  test.serial(
    'on a terminal the demo shows a table that fits, follows its size, and gives the cursor back',
    onTerminal,
  );
else test.skip('skipped: tmux is not installed: the table on a terminal', onTerminal);

async function onTerminal(t: ExecutionContext): Promise<void> {
  const socket = `ferrule-demo-${process.pid}`;
  const tmux = (...args: string[]): string =>
    execFileSync('tmux', ['-L', socket, '-f', '/dev/null', ...args], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  const screen = (): string => tmux('capture-pane', '-p');
  const command = `'${process.execPath}' '${MAIN}' demo --port ${await freePort()}; echo "exit code $?"; sleep 60`;
  t.teardown(() => void spawnSync('tmux', ['-L', socket, 'kill-server']));
  tmux('new-session', '-d', '-x', '80', '-y', '24', command);

  await eventually(
    () => /thermometer +127\.0\.0\.1:\d+ +online +\d\.\d +temperature/.test(screen()),
    'the table',
    PATIENCE_MS,
  );
  await eventually(
    () => /gps +\/dev\/pts\/\d+ +online +\d\.\d +lat [-\d.]+ lon/.test(screen()),
    'the gps',
    PATIENCE_MS,
  );
  await eventually(() => /sensors\/1 .* humidity/.test(screen()), 'the sensor', PATIENCE_MS);
  for (const [command, pin] of [
    [/set\/led \{"blink":500\}/, /pin 13 ● high/],
    [/set\/led \{"blink":500\}/, /pin 13 ○ low/],
  ] as const) {
    const shows = (): boolean => command.test(screen()) && pin.test(screen());
    await eventually(shows, `${pin} in:\n${screen()}`, PATIENCE_MS);
  }
  t.regex(screen(), /^Ferrule .* demo: MQTT broker on 127\.0\.0\.1:\d+/);
  const isCut = (): boolean =>
    screen()
      .split('\n')
      .some((line) => line.endsWith('…'));
  await eventually(isCut, 'the last character of a line that was cut', PATIENCE_MS);
  await eventually(() => screen().match(/DEVICE/g)?.length === 1, `one table in:\n${screen()}`, PATIENCE_MS);

  tmux('resize-window', '-x', '60', '-y', '12');
  await eventually(() => /thermometer +online +\d\.\d /.test(screen()), 'the narrow table', PATIENCE_MS);
  await eventually(() => screen().match(/DEVICE/g)?.length === 1, `one table in:\n${screen()}`, PATIENCE_MS);

  tmux('send-keys', 'C-c');
  await eventually(() => screen().includes('exit code 0'), `the end in:\n${screen()}`, PATIENCE_MS);
  t.regex(screen(), /stopped cleanly\nexit code 0/);
  t.is(tmux('display', '-p', '#{cursor_flag} #{wrap_flag}').trim(), '1 1');
}
