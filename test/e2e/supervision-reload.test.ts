// SIGHUP in a running gateway: what has changed is restarted, what has not goes on without losing a byte; a config that is
// no good changes nothing.

import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { ExecutionContext } from 'ava';
import type { Pty } from '../../src/hil/pty.js';
import { brokerFor, brokerTest, gatewayFor, subscriberFor } from '../support/e2e-test.js';
import { eventually } from '../support/eventually.js';
import type { GatewayProcess, LogLine } from '../support/gateway-process.js';
import { openNamedPty } from '../support/named-pty.js';
import type { Subscriber } from '../support/subscriber.js';
import { startTcpDevice } from '../support/tcp-device.js';
import { describeDelays, startTimedNeighbour, type TimedNeighbour } from '../support/timed-neighbour.js';

const BASE = 'ferrule/e2e';
const BRISK = { first: 50, max: 100 };
const RELOADS = 10;
/** Lines of the neighbour before what a test does, and after it. */
const LINES_AROUND = 100;

interface Rig {
  readonly gateway: GatewayProcess;
  readonly subscriber: Subscriber;
  readonly neighbour: TimedNeighbour;
  readonly base: object;
  /** Writes a config (its text, or `devices` beside the neighbour and other sections), sends SIGHUP, and waits for `word`. */
  reload(word: string, config: string | { devices: object; [section: string]: object }): Promise<LogLine>;
}

async function startRig(t: ExecutionContext, devices: object): Promise<Rig> {
  const broker = await brokerFor(t);
  const subscriber = await subscriberFor(t, { port: broker.port });
  const neighbour = await startTimedNeighbour(t, subscriber, `${BASE}/neighbour`);
  const base = { gateway: { id: 'e2e' }, mqtt: { url: `mqtt://127.0.0.1:${broker.port}` } };
  const gateway = gatewayFor(t, { config: { ...base, devices: { ...devices, neighbour: neighbour.config } } });
  await neighbour.talk(gateway.pid, broker.pid);
  await afterLines(neighbour, LINES_AROUND);
  return {
    gateway,
    subscriber,
    neighbour,
    base,
    async reload(word, config) {
      const text =
        typeof config === 'string'
          ? config
          : JSON.stringify({ ...base, ...config, devices: { ...config.devices, neighbour: neighbour.config } });
      const before = gateway.log.length;
      writeFileSync(path.join(gateway.dir, 'ferrule.yaml'), text);
      gateway.signal('SIGHUP');
      const find = (): LogLine | undefined => gateway.log.slice(before).find(({ msg }) => msg.includes(word));
      await eventually(() => find() !== undefined, `a log line "${word}"`);
      return find() as LogLine; // it was there just now
    },
  };
}

/** The end of every test: not a line lost, and the link of the neighbour was opened once. */
async function neighbourIsUntouched(t: ExecutionContext, { gateway, neighbour }: Rig): Promise<void> {
  const end = await afterLines(neighbour, LINES_AROUND);
  await neighbour.finish();
  neighbour.mustBeWhole(t);
  t.log(`delay of the neighbour: ${describeDelays(neighbour.delays(LINES_AROUND, end))}`);
  const lines = gateway.log.filter(({ group }) => group === 'neighbour').map(({ level, msg }) => `${level} ${msg}`);
  t.deepEqual(lines, [`info online on tcp 127.0.0.1:${neighbour.device.port}`], 'its link was opened once');
}

/** Waits for that many more lines of the neighbour; answers the number of the next one. */
async function afterLines(neighbour: TimedNeighbour, count: number): Promise<number> {
  const end = neighbour.lines + count;
  await eventually(() => neighbour.lines >= end, `${count} more lines`);
  return neighbour.lines;
}

async function ptyFor(t: ExecutionContext): Promise<Pty> {
  const pty = await openNamedPty();
  t.teardown(() => pty.close());
  return pty;
}

/** Writes until `device` is heard to say it: while it changes hands, nobody listens. */
async function heardAs(subscriber: Subscriber, pty: Pty, device: string, text: string): Promise<void> {
  const talk = setInterval(() => void pty.write(`${text}\n`), 20);
  try {
    await eventually(() => subscriber.texts(`${BASE}/${device}`).includes(text), `${text} on ${device}`);
  } finally {
    clearInterval(talk);
  }
}

const serial = (pty: Pty, more: object = {}): object => ({
  driver: 'lines',
  link: { type: 'serial', path: pty.path, ...more },
  reconnect: BRISK,
});

brokerTest(
  'SIGHUP with a device changed, one added, one removed and two that swap their ports: an untouched neighbour loses not a byte',
  async (t) => {
    const [left, right, slow, fresh, leaving] = [
      await ptyFor(t),
      await ptyFor(t),
      await ptyFor(t),
      await ptyFor(t),
      await startTcpDevice(),
    ];
    t.teardown(() => leaving.close());
    const rig = await startRig(t, {
      left: serial(left),
      right: serial(right),
      slow: serial(slow, { baud_rate: 9600 }),
      leaving: { driver: 'lines', link: `tcp://127.0.0.1:${leaving.port}` },
    });
    const { gateway, subscriber } = rig;
    await heardAs(subscriber, left, 'left', 'from left');
    await heardAs(subscriber, right, 'right', 'from right');
    await subscriber.says(`${BASE}/leaving/availability`, { state: 'online' });

    const line = await rig.reload('reloaded:', {
      devices: {
        left: serial(right),
        right: serial(left),
        slow: serial(slow, { baud_rate: 115200 }),
        fresh: serial(fresh),
      },
    });
    t.like(line, { level: 'info', added: ['fresh'], changed: ['left', 'right', 'slow'], removed: ['leaving'] });
    t.deepEqual(line.need_restart, []);
    await heardAs(subscriber, left, 'right', 'left after the swap');
    await heardAs(subscriber, right, 'left', 'right after the swap');
    await heardAs(subscriber, slow, 'slow', 'faster now');
    await heardAs(subscriber, fresh, 'fresh', 'here I am');
    await eventually(() => subscriber.texts(`${BASE}/leaving/availability`).at(-1) === '', 'its state to be cleared');
    const names = (subscriber.last(`${BASE}/bridge/devices`) as { name: string }[]).map(({ name }) => name);
    t.deepEqual(names.sort(), ['fresh', 'left', 'neighbour', 'right', 'slow']);
    const complaints = gateway.log.filter(({ level }) => level === 'warn' || level === 'error');
    t.deepEqual(complaints, [], 'a swap is no conflict');
    await neighbourIsUntouched(t, rig);
  },
);

brokerTest(
  `two devices that swap their ports at each of ${RELOADS} SIGHUPs in a row end where the last config says`,
  async (t) => {
    const [a, b] = [await ptyFor(t), await ptyFor(t)];
    const swapped = (n: number): object =>
      n % 2 === 0 ? { left: serial(a), right: serial(b) } : { left: serial(b), right: serial(a) };
    const rig = await startRig(t, swapped(0));
    for (let n = 1; n < RELOADS; n += 1) {
      writeFileSync(
        path.join(rig.gateway.dir, 'ferrule.yaml'),
        JSON.stringify({ ...rig.base, devices: { ...swapped(n), neighbour: rig.neighbour.config } }),
      );
      rig.gateway.signal('SIGHUP');
      await new Promise((resolve) => setTimeout(resolve, n * 5)); // some while the one before is still at work
    }
    await rig.reload('reloaded:', { devices: swapped(RELOADS) });
    await heardAs(rig.subscriber, a, 'left', 'a is left');
    await heardAs(rig.subscriber, b, 'right', 'b is right');
    t.deepEqual(
      rig.gateway.log.filter(({ level }) => level === 'error'),
      [],
    );
    t.log(`${rig.gateway.log.filter(({ msg }) => msg.startsWith('reloaded:')).length} reloads for ${RELOADS} SIGHUPs`);
    await neighbourIsUntouched(t, rig);
  },
);

brokerTest('SIGHUP with a bad config changes nothing and says what is wrong; the next good one counts', async (t) => {
  const pty = await ptyFor(t);
  const rig = await startRig(t, { scale: serial(pty) });
  const { gateway, subscriber } = rig;
  await heardAs(subscriber, pty, 'scale', 'before');
  const opened = gateway.log.filter(({ msg }) => msg.startsWith('online')).length;
  const bad: readonly (readonly [string, string | { devices: object }, RegExp])[] = [
    [
      'a typo',
      { devices: { scale: { ...serial(pty), drvier: 'lines' } } },
      /devices\.scale: unknown key "drvier", did you mean "driver"/,
    ],
    [
      'a wrong value',
      { devices: { scale: serial(pty, { baud_rate: 'fast' }) } },
      /devices\.scale\.link\.baud_rate: expected .*"fast"/,
    ],
    ['no YAML', 'devices: { scale: [', /ferrule\.yaml:\d+:\d+/],
    ['an unknown driver', { devices: { scale: { ...serial(pty), driver: 'no-such' } } }, /no driver "no-such"/],
  ];
  for (const [what, config, words] of bad) {
    const before = gateway.log.length;
    const last = await rig.reload('nothing was changed', config);
    t.is(last.level, 'error', what);
    const said = gateway.log.slice(before).map(({ msg }) => msg);
    t.true(
      said.some((msg) => words.test(msg)),
      `${what}: ${said.join('\n')}`,
    );
    t.log(`${what}: ${said[0]}`);
    await heardAs(subscriber, pty, 'scale', `after ${what}`);
  }
  t.is(gateway.log.filter(({ msg }) => msg.startsWith('online')).length, opened, 'no link was opened again');
  const good = await rig.reload('reloaded:', { devices: { scale: serial(pty, { baud_rate: 19200 }) } });
  t.like(good, { changed: ['scale'] });
  await heardAs(subscriber, pty, 'scale', 'after the good one');
  await neighbourIsUntouched(t, rig);
});

brokerTest('SIGHUP with another broker applies the devices and names what needs a restart', async (t) => {
  const pty = await ptyFor(t);
  const rig = await startRig(t, {});
  const { subscriber } = rig;
  const mqtt = { url: 'mqtt://127.0.0.1:1', keepalive: '5s' };
  const line = await rig.reload('reloaded:', { devices: { scale: serial(pty) }, mqtt, spool: { mode: 'off' } });
  t.deepEqual([line.added, line.need_restart], [['scale'], ['mqtt', 'spool']]);
  const warning = await rig.gateway.waitForLog('restart to apply');
  t.deepEqual([warning.level, warning.msg], ['warn', 'reload: mqtt, spool changed too; restart to apply that']);
  await heardAs(subscriber, pty, 'scale', 'over the old broker');
  await neighbourIsUntouched(t, rig);
});
