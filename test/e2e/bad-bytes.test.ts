// What no device should send and some do: lines without end, garbage, NUL bytes, half lines. Each ends as a dead letter with
// its reason or arrives as it is; memory stays bounded, the device recovers by itself, and a neighbour loses nothing.

import { readFileSync } from 'node:fs';
import net from 'node:net';
import type { ExecutionContext } from 'ava';
import type { Pty } from '../../src/hil/pty.js';
import { brokerTest } from '../support/e2e-test.js';
import { eventually } from '../support/eventually.js';
import { openNamedPty } from '../support/named-pty.js';
import { SEED, seededRandom } from '../support/seeded-random.js';
import { startTcpDevice, type TcpDevice } from '../support/tcp-device.js';
import { startTrouble } from '../support/trouble-rig.js';

const MIB = 1024 * 1024;
const FLOOD_MIB = 128;
/** Garbage that is not collected yet comes and goes; what is held of the flood would be more. */
const MAX_GROWTH_MIB = 64;
const BRISK = { first: 100, max: 100 };

async function ptyFor(t: ExecutionContext): Promise<Pty> {
  const pty = await openNamedPty();
  t.teardown(() => pty.close());
  return pty;
}

async function tcpDeviceFor(t: ExecutionContext): Promise<TcpDevice> {
  const device = await startTcpDevice();
  t.teardown(() => device.close());
  return device;
}

const tcp = (device: TcpDevice, rest: object = {}): object => ({
  driver: 'lines',
  link: `tcp://127.0.0.1:${device.port}`,
  reconnect: BRISK,
  ...rest,
});

/** Resident memory of a process, MiB. */
function residentMiB(pid: number): number {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Math.round(Number(kib) / 1024);
}

/** Writes as fast as the gateway takes it; resolves when all of it is on its way. */
function pour(socket: net.Socket, bytes: Buffer, times = 1): Promise<void> {
  return new Promise((resolve, reject) => {
    let left = times;
    socket.once('error', reject);
    const next = (): void => {
      if (left-- > 0) socket.write(bytes, next);
      else resolve();
    };
    next();
  });
}

brokerTest(
  `${FLOOD_MIB} MiB without a newline on TCP and 300 KiB on a pty are one dead letter each, and take no memory`,
  async (t) => {
    const [device, pty] = [await tcpDeviceFor(t), await ptyFor(t)];
    const rig = await startTrouble(t, {
      devices: { cell: tcp(device), scale: { driver: 'lines', link: `serial:${pty.path}` } },
    });
    const socket = await device.connection();
    await rig.says('scale', 'online on');
    const before = residentMiB(rig.gateway.pid);
    await pour(socket, Buffer.alloc(MIB / 4, 'x'), FLOOD_MIB * 4);
    socket.write('\nfine\n');
    for (let written = 0; written < 300; written += 30) t.is(await pty.write(Buffer.alloc(30 * 1024, 'y')), 'taken');
    await pty.write('\nfine\n');
    for (const [name, filler, total] of [
      ['cell', '78', FLOOD_MIB * MIB],
      ['scale', '79', 300 * 1024],
    ] as const) {
      t.deepEqual((await rig.payloads(name, 1)).map(String), ['fine'], `${name} recovers at the next line`);
      const letters = await rig.deadLetters(name, 1);
      t.is(letters.length, 1);
      const [{ reason, hex, dropped_bytes = 0 } = { reason: '', hex: '' }] = letters;
      t.is(reason, 'too-long');
      t.regex(hex, new RegExp(`^(${filler})+$`));
      t.is(hex.length / 2 + dropped_bytes, total, `${name}: every byte is counted`);
      const { msg, level } = await rig.says(name, 'too-long');
      t.deepEqual([level, msg], ['warn', 'bytes that are no reading (too-long); see dead_letter']);
    }
    const after = residentMiB(rig.gateway.pid);
    t.log(`VmRSS before ${before} MiB, after ${FLOOD_MIB} MiB without a newline ${after} MiB`);
    t.true(after - before < MAX_GROWTH_MIB, `${before} -> ${after} MiB`);
    await rig.neighbourIsWhole();
  },
);

/** Once in some thousand megabytes of random bytes there is one, `{}`. */
function isJsonObject(line: string): boolean {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}

brokerTest(
  'a megabyte of random bytes into lines, json-lines and nmea0183 harms nobody; the next good line is a reading',
  async (t) => {
    const random = seededRandom(SEED);
    t.log(`seed ${SEED}`);
    const garbage = Buffer.from(Uint8Array.from({ length: MIB }, () => Math.floor(random() * 256)));
    const devices = await Promise.all([tcpDeviceFor(t), tcpDeviceFor(t), tcpDeviceFor(t)]);
    const [text, json, gps] = devices;
    const rig = await startTrouble(t, {
      devices: { text: tcp(text), json: tcp(json, { driver: 'json-lines' }), gps: tcp(gps, { driver: 'nmea0183' }) },
    });
    const before = residentMiB(rig.gateway.pid);
    for (const device of devices) await pour(await device.connection(), garbage);
    (await text.connection()).write('\nlast\n');
    (await json.connection()).write('\n{"last":1}\n');
    (await gps.connection()).write('\n$GPGLL,4916.45,N,12311.12,W,225444,A*31\r\n');
    const ended = (name: string, last: string): Promise<void> =>
      eventually(() => rig.readings(name).at(-1)?.payload.toString().includes(last) === true, `the last of ${name}`);
    await Promise.all([ended('text', 'last'), ended('json', '{"last":1}'), ended('gps', '49.27')]);
    // Each line as it was: what was cut out as too long would be missing in between.
    const lines = Buffer.concat([garbage, Buffer.from('\nlast\n')])
      .toString('latin1')
      .split('\n')
      .slice(0, -1);
    const short = lines.filter((line) => line.length <= 4096);
    const got = rig.readings('text').map(({ payload }) => payload.toString('latin1'));
    t.is(got.length, short.length);
    t.true(
      got.every((line, index) => line === short[index]),
      'byte for byte',
    );
    t.is(rig.readings('json').length, short.filter(isJsonObject).length + 1, 'nothing else was JSON');
    for (const name of ['json', 'gps']) {
      const letters = await rig.deadLetters(name, 1);
      for (const { reason, hex } of letters) {
        t.true(reason.length <= 250, reason);
        t.true(hex.length <= 512, 'a dead letter is short');
      }
      t.log(`${name}: ${letters.length} dead letters, the first: ${JSON.stringify(letters[0]?.reason)}`);
    }
    const crashed = rig.gateway.log.filter(({ msg }) => msg.includes('crashed'));
    t.deepEqual(crashed, []);
    const after = residentMiB(rig.gateway.pid);
    t.log(`VmRSS before ${before} MiB, after 3 MiB of garbage ${after} MiB`);
    t.true(after - before < MAX_GROWTH_MIB, `${before} -> ${after} MiB`);
    await rig.neighbourIsWhole();
  },
);

brokerTest('lines with NUL bytes, invalid UTF-8 and no bytes at all are relayed as they are', async (t) => {
  const [device, pty] = [await tcpDeviceFor(t), await ptyFor(t)];
  const rig = await startTrouble(t, {
    devices: { cell: tcp(device), scale: { driver: 'lines', link: `serial:${pty.path}` } },
  });
  const lines = ['00', '000000', 'fffe00c3', 'c328a0a1e28228', 'f09f', '', '', '0d', '41'].map((hex) =>
    Buffer.from(hex, 'hex'),
  );
  const wire = Buffer.concat(lines.flatMap((line) => [line, Buffer.from('\n')]));
  const socket = await device.connection();
  await rig.says('scale', 'online on');
  socket.write(wire);
  await pty.write(wire);
  for (const name of ['cell', 'scale']) t.deepEqual(await rig.payloads(name, lines.length), lines, name);
  t.deepEqual(rig.subscriber.texts('ferrule/e2e/cell/dead_letter'), []);
  await rig.neighbourIsWhole();
});

brokerTest(
  'half a line at disconnect is a dead letter, no reading, and does not spoil the first line afterwards',
  async (t) => {
    const [device, first] = [await tcpDeviceFor(t), await ptyFor(t)];
    const rig = await startTrouble(t, {
      devices: {
        cell: tcp(device),
        scale: { driver: 'lines', link: `serial:${first.path}`, reconnect: BRISK },
        sensors: { driver: 'lines', link: { type: 'tcp-listen', port: 0, peer: 'peer-{n}' } },
      },
    });
    const { listen } = await rig.says('sensors', 'listening on');
    const caller = net.connect(Number(String(listen).split(':').at(-1)), '127.0.0.1');
    t.teardown(() => caller.destroy());
    caller.end('whole\nhal');
    await rig.says('scale', 'online on');
    const socket = await device.connection();
    socket.end('whole\nhal');
    await first.write('whole\nhal');
    for (const name of ['cell', 'scale']) await rig.payloads(name, 1);
    await first.unplug();
    for (const name of ['cell', 'scale']) {
      await rig.says(name, 'link lost');
      const [letter] = await rig.deadLetters(name, 1);
      t.deepEqual(letter, { reason: 'partial', hex: Buffer.from('hal').toString('hex') }, name);
    }
    const peer = 'sensors/peer-1';
    t.deepEqual((await rig.payloads(peer, 1)).map(String), ['whole']);
    t.is((await rig.deadLetters(peer, 1))[0]?.reason, 'partial', 'also of a connection that came to us');
    await eventually(() => device.accepted === 2, 'the next call');
    (await device.connection()).write('next\n');
    t.deepEqual((await rig.payloads('cell', 2)).map(String), ['whole', 'next']);
    t.deepEqual((await rig.payloads('scale', 1)).map(String), ['whole']);
    await rig.neighbourIsWhole();
  },
);

brokerTest('a JSON line of 4095 bytes is a reading, one of 4097 is too long, broken JSON says where', async (t) => {
  const device = await tcpDeviceFor(t);
  const rig = await startTrouble(t, { devices: { json: tcp(device, { driver: 'json-lines' }) } });
  const sized = (length: number): string =>
    `{"text":"${'é'.repeat((length - 11) >> 1)}${length % 2 === 1 ? '' : 'x'}"}`;
  for (const length of [4095, 4096, 4097]) t.is(Buffer.byteLength(sized(length)), length);
  const socket = await device.connection();
  socket.write(`${sized(4095)}\n`);
  socket.write(`\n  \n${sized(4096)}\n${sized(4097)}\n{"n":1}\n`);
  t.deepEqual((await rig.payloads('json', 3)).map(String), [sized(4095), sized(4096), '{"n":1}']);
  const [letter] = await rig.deadLetters('json', 1);
  t.is(letter?.reason, 'too-long');
  // One dead letter a second: the next one tells of those that were held back in between.
  const broken = setInterval(() => socket.write('{"n": 1,}\n'), 50);
  t.teardown(() => clearInterval(broken));
  const letters = await rig.deadLetters('json', 2);
  t.regex(letters[1]?.reason ?? '', /^rejected: not JSON \(.+\): "\{\\"n\\": 1,\}"$/);
  t.is(letters[1]?.hex, Buffer.from('{"n": 1,}').toString('hex'));
  t.true((letters[1]?.suppressed ?? 0) > 0);
  await rig.neighbourIsWhole();
});
