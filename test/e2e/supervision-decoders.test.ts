// Drivers with bugs, in a gateway that also serves a healthy device: each bug has its known end, and never costs the
// neighbour a line. One row of a table per bug.

import path from 'node:path';
import type { ExecutionContext } from 'ava';
import { driversFor } from '../support/driver-folder.js';
import { brokerFor, brokerTest, gatewayFor, subscriberFor } from '../support/e2e-test.js';
import { eventually } from '../support/eventually.js';
import { folderFor } from '../support/ferrule-command.js';
import type { GatewayProcess } from '../support/gateway-process.js';
import type { Subscriber } from '../support/subscriber.js';
import { startTcpDevice, type TcpDevice } from '../support/tcp-device.js';
import { describeDelays, startTimedNeighbour } from '../support/timed-neighbour.js';

const BASE = 'ferrule/e2e';
const FRAME_EVERY_MS = 10;
/** A parked device is tried again after 225 to 375 s; this long in a test. */
const PROBE_MS = 1500;
const BRISK = { first: 10, max: 50 };

/** Makes the waits of a parked device short, and leaves all others as they are. */
const SHORT_PROBES = `const later = globalThis.setTimeout;
globalThis.setTimeout = (fire, ms, ...rest) => later(fire, ms >= 225000 && ms <= 375000 ? ${PROBE_MS} : ms, ...rest);`;

interface Scene {
  readonly t: ExecutionContext;
  readonly gateway: GatewayProcess;
  readonly subscriber: Subscriber;
  readonly device: TcpDevice;
  /** Lets the device say frame after frame, to whatever connection there is, until it is told to stop. */
  talk(): () => void;
  /** The device in bridge/devices, once it is in that state. */
  shows(state: string): Promise<{ reason: string; counters: Record<string, number>; state: string }>;
}

interface Bug {
  /** The test is called "a decoder that ...". */
  readonly title: string;
  /** The code of the driver's `create`. */
  readonly create: string;
  /** Further keys of the device. */
  readonly settings?: object;
  readonly env?: (t: ExecutionContext) => Readonly<Record<string, string>>;
  ends(scene: Scene): Promise<void>;
}

const BUGS: readonly Bug[] = [
  {
    title:
      'throws at every 10th frame is restarted with a fresh instance each time, and parked at the 6th crash in a minute',
    create: `() => {
      let n = 0;
      return { decode(frame) { n += 1; if (n === 10) throw new RangeError('tenth frame'); return { n, text: String(frame) }; } };
    }`,
    async ends({ t, gateway, subscriber, device, talk, shows }) {
      for (let crash = 1; crash <= 5; crash += 1) {
        const stop = talk();
        await eventually(() => crashes(gateway).length === crash, `crash ${crash}`);
        stop();
        await eventually(() => device.accepted === crash + 1, `connection ${crash + 1}`);
      }
      await shows('online');
      t.true(crashes(gateway).every(({ msg }) => /tenth frame; restarting it$/.test(msg)));
      const counts = numbersOf(subscriber);
      const begun = counts.filter((n) => n === 1).length;
      t.true(begun === 5 || begun === 6, 'each instance begins anew'); // the last may have heard something already
      t.is(Math.max(...counts), 9);
      t.log(`5 crashes, ${device.accepted - 1} restarts, ${counts.length} readings, then online`);
      talk();
      const { reason, counters } = await shows('parked');
      t.regex(reason, /^receive thread crashed: the driver threw in decode: tenth frame/);
      t.is(counters.crashes, 6);
      t.log(`crash 6 within 60 s: parked, next try in ${Math.round(retryMs(gateway) / 1000)} s`);
    },
  },
  {
    title: 'throws at every 10th frame only now and then is never parked for ever: it is tried again, and goes on',
    create: `() => {
      let n = 0;
      return { decode(frame) { n += 1; if (n === 10) throw new RangeError('tenth frame'); return { n, text: String(frame) }; } };
    }`,
    env: shortProbes,
    async ends({ t, gateway, subscriber, talk, shows }) {
      const stop = talk();
      await shows('parked');
      stop();
      const before = numbersOf(subscriber).length;
      await shows('online');
      const stopAgain = talk();
      await eventually(() => numbersOf(subscriber).length >= before + 9, 'readings after the probe');
      stopAgain();
      t.log(`parked, probed and online again; ${crashes(gateway).length} crashes`);
    },
  },
  {
    title:
      'throws always is parked: reason and next try are in the log and its state in bridge/devices, and it is tried again',
    create: `() => ({ decode(frame) { throw new TypeError('cannot read ' + frame); } })`,
    env: shortProbes,
    async ends({ t, gateway, device, talk, shows }) {
      const stop = talk();
      const shown = await shows('parked');
      t.regex(shown.reason, /^receive thread crashed: the driver threw in decode: cannot read \d+ kg/);
      const line = await gateway.waitForLog(({ group, msg }) => group === 'scale' && msg.includes('parked'));
      t.is(line.level, 'error');
      t.regex(line.msg, /more than 5 crashes within 60 s: parked, tried again later; this is a bug in the driver/);
      const inMs = Number(line.retry_in_ms);
      t.true(inMs >= 225_000 && inMs <= 375_000, `${inMs}`);
      t.log(`bridge/devices of a parked device: ${JSON.stringify(shown)}`);
      const accepted = device.accepted;
      await eventually(() => device.accepted > accepted, 'the probe');
      await eventually(() => crashes(gateway).length >= 7, 'the crash of the probe');
      const parked = crashes(gateway).map(({ msg }) => msg.includes('parked'));
      t.deepEqual(parked.slice(0, 7), [false, false, false, false, false, true, true], 'one crash, and parked again');
      stop();
    },
  },
  {
    title: 'returns nonsense gives dead letters that say so, and no crash',
    create: `() => {
      const circle = {}; circle.self = circle;
      const nonsense = [42, 'text', null, () => {}, Promise.resolve({ n: 1 }), 10n, [[]], new Map(), Symbol('s'), circle,
        { get x() { throw new Error('trap'); } }, new Proxy({}, { ownKeys() { throw new Error('trap'); } }), [1, , 2], NaN,
        { big: 10n }, { when: new Date(NaN) }, new Uint8Array(3), true];
      let n = 0;
      return { decode(frame) {
        if (String(frame) === 'good') return { good: true };
        return n++ % 2 ? Promise.reject(new Error('an async decode that throws')) : nonsense[(n >> 1) % nonsense.length];
      } };
    }`,
    async ends({ t, gateway, subscriber, device, talk, shows }) {
      const stop = talk();
      await subscriber.count(`${BASE}/scale/dead_letter`, 2);
      await eventually(() => device.accepted === 1, 'one connection');
      await new Promise((resolve) => setTimeout(resolve, 500));
      stop();
      (await device.connection()).write('good\n');
      await eventually(() => subscriber.texts(`${BASE}/scale`).includes('{"good":true}'), 'the good reading');
      const letters = subscriber.texts(`${BASE}/scale/dead_letter`).map((text) => JSON.parse(text));
      for (const { reason } of letters) t.regex(reason, /^bad-reading: /);
      t.deepEqual(crashes(gateway), []);
      const { counters } = await shows('online');
      t.is(device.accepted, 1, 'the connection was kept');
      const readings = [...new Set(subscriber.texts(`${BASE}/scale`))];
      t.log(`${counters.junk} dead letters counted, ${letters.length} published, the first: ${letters[0].reason}`);
      t.log(`what passed for a reading: ${readings.join(' ')}`);
    },
  },
];

/** Inline only: in a Worker the same ends the Worker. */
const LOOSE: readonly Bug[] = [
  {
    title: 'leaves a rejected promise that nobody handles is named in the log, and everything goes on',
    create: `() => {
      Promise.reject(new Error('left alone'));
      return { decode: (frame) => ({ text: String(frame) }) };
    }`,
    async ends({ t, gateway, subscriber, talk, shows }) {
      const stop = talk();
      await subscriber.count(`${BASE}/scale`, 20);
      stop();
      await shows('online');
      const line = await gateway.waitForLog('a rejected promise that nobody handles');
      t.regex(JSON.stringify(line.err), /left alone/);
      t.deepEqual(crashes(gateway), []);
    },
  },
];

const WORKER = { isolation: 'worker' } as const;

/** Bugs that nobody survives inline, each in a Worker of its own. */
const CONTAINED: readonly Bug[] = [
  {
    title: 'loops for ever is ended after two seconds without progress, and its successor goes on',
    settings: WORKER,
    create: `() => ({ decode(frame) { if (String(frame) === '50 kg') for (;;); return { text: String(frame) }; } })`,
    async ends(scene) {
      await isEndedAndGoesOn(scene, /makes no progress/, 51);
    },
  },
  {
    title: 'eats memory is ended at its limit, and its successor goes on',
    settings: WORKER,
    create: `() => {
      const eaten = [];
      return { decode(frame) {
        if (String(frame) === '50 kg') for (;;) eaten.push(new Array(10000).fill(frame.length));
        return { text: String(frame) };
      } };
    }`,
    async ends(scene) {
      await isEndedAndGoesOn(scene, /more than 64 MB of memory/, 51);
    },
  },
];

/** The frame that kills is a dead letter, and the frames behind it are readings again. */
async function isEndedAndGoesOn(
  { t, gateway, subscriber, talk, shows }: Scene,
  why: RegExp,
  next: number,
): Promise<void> {
  const stop = talk();
  await eventually(() => crashes(gateway).length === 1, 'the end of the Worker');
  const texts = (): string[] => subscriber.texts(`${BASE}/scale`).map((text) => JSON.parse(text).text);
  await eventually(() => texts().some((text) => Number.parseInt(text, 10) > next + 20), 'readings afterwards');
  stop();
  t.regex(crashes(gateway)[0]?.msg ?? '', why);
  await shows('online');
  t.is(crashes(gateway).length, 1);
  t.log(`${texts().length} readings, 1 Worker ended: ${crashes(gateway)[0]?.msg}`);
}

function crashes(gateway: GatewayProcess): { readonly msg: string }[] {
  return gateway.log.filter(({ group, msg }) => group === 'scale' && msg.includes('thread crashed'));
}

function retryMs(gateway: GatewayProcess): number {
  return Number(gateway.log.findLast(({ group, msg }) => group === 'scale' && msg.includes('parked'))?.retry_in_ms);
}

function numbersOf(subscriber: Subscriber): number[] {
  return subscriber.texts(`${BASE}/scale`).map((text) => JSON.parse(text).n);
}

function shortProbes(t: ExecutionContext): Readonly<Record<string, string>> {
  const folder = folderFor(t, { 'short-probes.cjs': SHORT_PROBES });
  return { NODE_OPTIONS: `--require ${path.join(folder, 'short-probes.cjs')}` };
}

function sceneOf(t: ExecutionContext, gateway: GatewayProcess, subscriber: Subscriber, device: TcpDevice): Scene {
  return {
    t,
    gateway,
    subscriber,
    device,
    talk() {
      let n = 0;
      const frame = (): void =>
        void device.connection(0).then(
          (socket) => socket.write(`${n++} kg\n`),
          () => {},
        );
      const timer = setInterval(frame, FRAME_EVERY_MS);
      t.teardown(() => clearInterval(timer));
      return () => clearInterval(timer);
    },
    async shows(state) {
      type Shown = { name: string; reason: string; counters: Record<string, number>; state: string };
      const find = (): Shown | undefined =>
        (subscriber.last(`${BASE}/bridge/devices`) as Shown[] | undefined)?.find(({ name }) => name === 'scale');
      await eventually(() => find()?.state === state, `scale ${state} in bridge/devices`);
      const shown = find();
      if (shown === undefined) throw new Error('scale is not in bridge/devices');
      return shown;
    },
  };
}

const IN_A_WORKER = BUGS.map((bug) => ({ ...bug, title: `in a Worker ${bug.title}`, settings: WORKER }));

for (const { title, create, settings, env, ends } of [...BUGS, ...LOOSE, ...CONTAINED, ...IN_A_WORKER]) {
  brokerTest(`a decoder that ${title}; its neighbour loses nothing`, async (t) => {
    const broker = await brokerFor(t);
    const subscriber = await subscriberFor(t, { port: broker.port });
    const neighbour = await startTimedNeighbour(t, subscriber, `${BASE}/neighbour`);
    const device = await startTcpDevice();
    t.teardown(() => device.close());
    const link = `tcp://127.0.0.1:${device.port}`;
    const gateway = gatewayFor(t, {
      config: {
        gateway: { id: 'e2e' },
        mqtt: { url: `mqtt://127.0.0.1:${broker.port}` },
        drivers_dir: driversFor(t, { buggy: create }),
        devices: { scale: { driver: 'buggy', link, reconnect: BRISK, ...settings }, neighbour: neighbour.config },
      },
      ...(env && { env: env(t) }),
    });
    await neighbour.talk(gateway.pid, broker.pid);
    const start = neighbour.lines;
    await ends(sceneOf(t, gateway, subscriber, device));
    const end = neighbour.lines;
    await neighbour.finish();
    t.log(`delay of the neighbour: ${describeDelays(neighbour.delays(start, end))}`);
    neighbour.mustBeWhole(t);
    gateway.signal('SIGTERM');
    t.is((await gateway.end()).code, 0, gateway.log.at(-1)?.msg);
  });
}
