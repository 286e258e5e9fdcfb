// SIGTERM in every situation that a gateway can be in: it ends within its deadline, with 0, or with 1 and the leftovers named.
// One row of a table per situation, each reached several times and left at a random moment. The exit code says that the gateway
// kept the deadline by its own clock; this process and the kernel may take their time to see the end.

import { writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import type { ExecutionContext } from 'ava';
import { driversFor } from '../support/driver-folder.js';
import { brokerFor, brokerTest, gatewayFor, subscriberFor } from '../support/e2e-test.js';
import { eventually } from '../support/eventually.js';
import type { GatewayProcess } from '../support/gateway-process.js';
import { freePort } from '../support/mosquitto.js';
import { openNamedPty } from '../support/named-pty.js';
import { deafPortFor } from '../support/peer-process.js';
import { SEED, seededRandom } from '../support/seeded-random.js';
import { allowForSoak, repeats } from '../support/soak.js';
import type { Subscriber } from '../support/subscriber.js';
import { startTcpDevice, type TcpDevice } from '../support/tcp-device.js';

const ROUNDS = repeats(2, 20);
const DEADLINE_MS = 3000;
/** For what takes more work than the rest. */
const LONG_DEADLINE_MS = 8000;
/** On a machine that others use too. */
const TOLERANCE_MS = 3000;
const CONNECTIONS = 500;
/** SIGTERM comes up to so long after the situation is reached. */
const AFTER_MS = 150;

/** What all rounds of a situation share. */
interface Stage {
  readonly t: ExecutionContext;
  /** Of a broker that is up. */
  readonly url: string;
  readonly subscriber: Subscriber;
}

/** A gateway in the situation. */
interface Reached {
  readonly gateway: GatewayProcess;
  /** What must hold once it has ended. */
  readonly afterwards?: () => Promise<void>;
}

interface Situation {
  /** Ends the sentence "SIGTERM while ...". */
  readonly title: string;
  readonly code: 0 | 1;
  /** What the last line of the log must say. */
  readonly lastWords: RegExp;
  /** Where it is not the deadline of all. */
  readonly deadlineMs?: number;
  /** Answers how to bring a gateway called `id` there. */
  prepare(stage: Stage): Promise<(id: string) => Promise<Reached>>;
}

const CLEAN = { code: 0, lastWords: /^stopped cleanly/ } as const;

interface Setting {
  readonly id: string;
  readonly url: string;
  readonly devices: Readonly<Record<string, object>>;
  readonly config?: object;
}

function configOf({ id, url, devices, config }: Setting): object {
  return { gateway: { id, shutdown_deadline: DEADLINE_MS }, mqtt: { url }, ...config, devices };
}

async function tcpDeviceFor(t: ExecutionContext): Promise<TcpDevice> {
  const device = await startTcpDevice();
  t.teardown(() => device.close());
  return device;
}

const linkTo = (port: number, more: object = {}): object => ({
  driver: 'lines',
  link: `tcp://127.0.0.1:${port}`,
  ...more,
});

/** Starts a gateway and waits until it is connected to the broker and has said `words` of `device`. */
async function gatewayThatSays({ t }: Stage, setting: Setting, device: string, words: string): Promise<GatewayProcess> {
  const gateway = gatewayFor(t, { config: configOf(setting) });
  await gateway.waitForLog('connected to the broker');
  await gateway.waitForLog(({ group, msg }) => group === device && msg.includes(words));
  return gateway;
}

/** Waits until what is published of `device` says that it is in `state`. */
async function published({ subscriber }: Stage, id: string, device: string, state: string): Promise<void> {
  const isThere = (): boolean => {
    const devices = subscriber.last(`ferrule/${id}/bridge/devices`) as { name: string; state: string }[] | undefined;
    return devices?.some((each) => each.name === device && each.state === state) ?? false;
  };
  await eventually(isThere, `${device} to be ${state}`);
}

/** A gateway with one device that is online, but without a broker that answers. */
async function gatewayWithout(stage: Stage, id: string, url: string, lines: number): Promise<GatewayProcess> {
  const device = await tcpDeviceFor(stage.t);
  const gateway = gatewayFor(stage.t, { config: configOf({ id, url, devices: { cell: linkTo(device.port) } }) });
  await gateway.waitForLog(({ group, msg }) => group === 'cell' && msg.startsWith('online'));
  await say(await device.connection(), 'line\n'.repeat(lines));
  return gateway;
}

function say(socket: net.Socket, text: string): Promise<void> {
  return new Promise((resolve) => void socket.write(text, () => resolve()));
}

/** A broker that accepts and never says a word. */
async function muteBrokerFor(t: ExecutionContext): Promise<TcpDevice> {
  return tcpDeviceFor(t);
}

const SITUATIONS: readonly Situation[] = [
  {
    title: 'a TCP device does not answer the connect',
    ...CLEAN,
    async prepare(stage) {
      const port = await deafPortFor(stage.t);
      return async (id) => {
        const setting = { id, url: stage.url, devices: { cell: linkTo(port) } };
        const gateway = gatewayFor(stage.t, { config: configOf(setting) });
        await published(stage, id, 'cell', 'connecting');
        return { gateway };
      };
    },
  },
  {
    title: 'the broker does not answer the connect',
    ...CLEAN,
    async prepare(stage) {
      const port = await deafPortFor(stage.t);
      return async (id) => ({ gateway: await gatewayWithout(stage, id, `mqtt://127.0.0.1:${port}`, 0) });
    },
  },
  {
    title: 'the broker has accepted and sends no CONNACK',
    ...CLEAN,
    async prepare(stage) {
      const broker = await muteBrokerFor(stage.t);
      return async (id) => {
        const gateway = await gatewayWithout(stage, id, `mqtt://127.0.0.1:${broker.port}`, 0);
        await eventually(() => broker.received().includes(`ferrule-${id}`), 'the CONNECT');
        return { gateway };
      };
    },
  },
  {
    title: 'the broker has accepted and sends no CONNACK, and readings wait',
    ...CLEAN,
    async prepare(stage) {
      const broker = await muteBrokerFor(stage.t);
      return async (id) => {
        const gateway = await gatewayWithout(stage, id, `mqtt://127.0.0.1:${broker.port}`, 20);
        await eventually(() => broker.received().includes(`ferrule-${id}`), 'the CONNECT');
        return { gateway };
      };
    },
  },
  {
    title: 'a device is backing off',
    ...CLEAN,
    async prepare(stage) {
      return async (id) => {
        const devices = { cell: linkTo(await freePort(), { reconnect: { first: '10m', max: '10m' } }) };
        const setting = { id, url: stage.url, devices };
        return { gateway: await gatewayThatSays(stage, setting, 'cell', 'trying again') };
      };
    },
  },
  {
    title: 'a device is parked',
    ...CLEAN,
    async prepare(stage) {
      const drivers_dir = driversFor(stage.t, { buggy: `() => ({ decode() { throw new Error('always') } })` });
      return async (id) => {
        const device = await tcpDeviceFor(stage.t);
        const talk = setInterval(
          () =>
            void device.connection().then(
              (socket) => socket.write('12 kg\n'),
              () => {},
            ),
          10,
        );
        stage.t.teardown(() => clearInterval(talk));
        const devices = { cell: { ...linkTo(device.port, { reconnect: { first: 10, max: 20 } }), driver: 'buggy' } };
        const setting = { id, url: stage.url, devices, config: { drivers_dir } };
        const gateway = await gatewayThatSays(stage, setting, 'cell', 'parked');
        clearInterval(talk);
        return { gateway };
      };
    },
  },
  {
    title: 'half a line has come from a pty and from a socket: both halves are told',
    ...CLEAN,
    async prepare({ t, url, subscriber }) {
      return async (id) => {
        const [device, pty] = [await tcpDeviceFor(t), await openNamedPty()];
        t.teardown(() => pty.close());
        const devices = { cell: linkTo(device.port), scale: { driver: 'lines', link: `serial:${pty.path}` } };
        const gateway = gatewayFor(t, { config: configOf({ id, url, devices }) });
        await gateway.waitForLog(({ group, msg }) => group === 'scale' && msg.startsWith('online'));
        await say(await device.connection(), 'whole\nhal');
        await pty.write('whole\nhal');
        for (const name of ['cell', 'scale']) await subscriber.count(`ferrule/${id}/${name}`, 1);
        const afterwards = async (): Promise<void> => {
          for (const name of ['cell', 'scale']) await subscriber.count(`ferrule/${id}/${name}/dead_letter`, 1);
        };
        return { gateway, afterwards };
      };
    },
  },
  {
    title: 'the broker has gone and nothing waits',
    ...CLEAN,
    async prepare(stage) {
      return async (id) => ({ gateway: await gatewayThatLostItsBroker(stage, id, 0) });
    },
  },
  {
    title: 'the broker has gone and readings wait',
    ...CLEAN,
    async prepare(stage) {
      return async (id) => ({ gateway: await gatewayThatLostItsBroker(stage, id, 50) });
    },
  },
  {
    title: 'the config is read again',
    ...CLEAN,
    async prepare(stage) {
      return async (id) => {
        const [cell, other, third] = [
          await tcpDeviceFor(stage.t),
          await tcpDeviceFor(stage.t),
          await tcpDeviceFor(stage.t),
        ];
        const setting = { id, url: stage.url, devices: { cell: linkTo(cell.port), other: linkTo(other.port) } };
        const gateway = await gatewayThatSays(stage, setting, 'cell', 'online');
        const devices = { cell: linkTo(third.port), added: linkTo(other.port) };
        writeFileSync(path.join(gateway.dir, 'ferrule.yaml'), JSON.stringify(configOf({ ...setting, devices })));
        gateway.signal('SIGHUP');
        return { gateway };
      };
    },
  },
  {
    title: `${CONNECTIONS} connections are open`,
    ...CLEAN,
    deadlineMs: LONG_DEADLINE_MS,
    async prepare(stage) {
      return async (id) => {
        const devices = { sensors: { driver: 'lines', link: { type: 'tcp-listen', port: 0, peer: 'p-{n}' } } };
        const config = { gateway: { id, shutdown_deadline: LONG_DEADLINE_MS } };
        const gateway = await gatewayThatSays(stage, { id, url: stage.url, devices, config }, 'sensors', 'listening');
        const { listen } = await gateway.waitForLog('listening on');
        const port = Number(String(listen).split(':').at(-1));
        const sockets = Array.from({ length: CONNECTIONS }, () => net.connect(port, '127.0.0.1'));
        for (const socket of sockets) socket.on('error', () => {}).write('hello\nhal');
        const isHeard = (n: number): boolean => stage.subscriber.on(`ferrule/${id}/sensors/p-${n}`).length > 0;
        const numbers = sockets.map((_, index) => index + 1);
        await eventually(() => numbers.every(isHeard), 'a line of each connection');
        const isCleared = (n: number): boolean =>
          stage.subscriber.texts(`ferrule/${id}/sensors/p-${n}/availability`).at(-1) === '';
        const afterwards = async (): Promise<void> => {
          for (const socket of sockets) socket.destroy();
          await eventually(() => numbers.every(isCleared), 'the availability of each connection to be cleared');
        };
        return { gateway, afterwards };
      };
    },
  },
  {
    title: 'a command hangs in a peer that reads nothing',
    ...CLEAN,
    async prepare(stage) {
      return async (id) => {
        const device = await tcpDeviceFor(stage.t);
        const setting = { id, url: stage.url, devices: { cell: linkTo(device.port, { on_shutdown: 'STOP\n' }) } };
        const gateway = await gatewayThatSays(stage, setting, 'cell', 'online');
        (await device.connection()).pause();
        const command = Buffer.alloc(512 * 1024, 'x');
        for (let n = 0; n < 20; n += 1) stage.subscriber.client.publish(`ferrule/${id}/cell/write`, command);
        await stage.subscriber.count(`ferrule/${id}/cell/response`, 20);
        return { gateway };
      };
    },
  },
  {
    title: 'a Worker hangs in its driver',
    ...CLEAN,
    deadlineMs: LONG_DEADLINE_MS,
    async prepare(stage) {
      const drivers_dir = driversFor(stage.t, { loops: '() => ({ decode() { for (;;); } })' });
      return async (id) => {
        const device = await tcpDeviceFor(stage.t);
        const cell = { ...linkTo(device.port), driver: 'loops', isolation: 'worker' };
        const config = { drivers_dir, gateway: { id, shutdown_deadline: LONG_DEADLINE_MS } };
        const gateway = await gatewayThatSays(
          stage,
          { id, url: stage.url, devices: { cell }, config },
          'cell',
          'online',
        );
        await say(await device.connection(), 'for ever\n');
        return { gateway };
      };
    },
  },
];

async function gatewayThatLostItsBroker(stage: Stage, id: string, lines: number): Promise<GatewayProcess> {
  const broker = await brokerFor(stage.t);
  const watcher = await subscriberFor(stage.t, { port: broker.port });
  const device = await tcpDeviceFor(stage.t);
  const url = `mqtt://127.0.0.1:${broker.port}`;
  const gateway = gatewayFor(stage.t, { config: configOf({ id, url, devices: { cell: linkTo(device.port) } }) });
  await watcher.says(`ferrule/${id}/cell/availability`, { state: 'online' });
  await broker.kill();
  await gateway.waitForLog(({ group, level }) => group === 'bridge/mqtt' && level === 'warn');
  await say(await device.connection(), 'line\n'.repeat(lines));
  return gateway;
}

/** Brings a gateway there, stops it at a random moment; gives the ms from the signal to the exit. */
async function stopOnce(
  { t }: Stage,
  situation: Situation,
  reach: () => Promise<Reached>,
  afterMs: number,
): Promise<number> {
  const { gateway, afterwards } = await reach();
  await new Promise((resolve) => setTimeout(resolve, afterMs)); // the random moment
  const signalledAt = performance.now();
  gateway.signal('SIGTERM');
  const end = await gateway.end();
  const tookMs = Math.round(end.at - signalledAt);
  const lastWords = gateway.log.at(-1)?.msg ?? '';
  t.deepEqual([end.code, end.signal], [situation.code, null], `${lastWords}\n${gateway.stderr}`);
  t.regex(lastWords, situation.lastWords);
  t.true(tookMs < (situation.deadlineMs ?? DEADLINE_MS) + TOLERANCE_MS, `${tookMs} ms`);
  t.is(gateway.stderr, '');
  await afterwards?.();
  await gateway.stop();
  return tookMs;
}

for (const [index, situation] of SITUATIONS.entries()) {
  const { title, code, deadlineMs = DEADLINE_MS } = situation;
  const rest = `exit ${code} within the deadline, ${ROUNDS} times at a random moment`;
  brokerTest(`SIGTERM while ${title}: ${rest}`, async (t) => {
    allowForSoak(t);
    const random = seededRandom(SEED + index);
    const broker = await brokerFor(t);
    const subscriber = await subscriberFor(t, { port: broker.port });
    const stage = { t, url: `mqtt://127.0.0.1:${broker.port}`, subscriber };
    const reach = await situation.prepare(stage);
    const took: number[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      took.push(await stopOnce(stage, situation, () => reach(`round-${round}`), random() * AFTER_MS));
    }
    t.log(`FERRULE_TEST_SEED=${SEED}; from SIGTERM to exit, ms, of ${deadlineMs}: ${took.join(' ')}`);
  });
}
