import type { LookupAddress } from 'node:dns';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import test from 'ava';
import { systemClock } from '../../../src/core/clock.js';
import { NameLookups, type NameLookupsOptions } from '../../../src/device/links/name-lookups.js';
import { makeOpener } from '../../../src/device/make-opener.js';
import { FakeClock } from '../../support/fake-clock.js';

type System = NonNullable<NameLookupsOptions['system']>;
type Found = Parameters<System>[2];

const ADDRESS: LookupAddress = { address: '10.0.0.5', family: 4 };
const LONG_MS = 10_000;

/** The system's lookups, which find what and when the test says. */
class Rig {
  readonly clock = new FakeClock();
  /** Names that the system has been asked for, in order. */
  readonly asked: string[] = [];
  /** What those who asked were told. */
  readonly told: string[] = [];
  readonly #open = new Map<string, Found>();
  readonly #names = new NameLookups({
    clock: this.clock,
    system: (host, _options, found) => {
      this.asked.push(host);
      this.#open.set(host, found);
    },
  });

  async ask(...hosts: string[]): Promise<void> {
    for (const host of hosts) {
      this.#names.lookup(host, { all: true }, (error, addresses) => {
        this.told.push(`${host} ${error?.message ?? JSON.stringify(addresses)}`);
      });
    }
    await this.clock.settle();
  }

  found(host: string): void {
    this.#take(host)(null, [ADDRESS]);
  }

  notFound(host: string): void {
    this.#take(host)(new Error(`no ${host}`), []);
  }

  /** These names are long in vain. */
  async areVain(...hosts: string[]): Promise<void> {
    await this.ask(...hosts);
    await this.clock.advance(LONG_MS);
    for (const host of hosts) this.notFound(host);
    this.asked.length = 0;
    this.told.length = 0;
  }

  #take(host: string): Found {
    const found = this.#open.get(host);
    if (found === undefined) throw new Error(`nobody looks up ${host}`);
    this.#open.delete(host);
    return found;
  }
}

test('a name is looked up once for all who ask meanwhile, and anew for who asks behind that', async (t) => {
  const rig = new Rig();
  await rig.ask('plc', 'plc', 'scale', 'plc');
  t.deepEqual(rig.asked, ['plc', 'scale']);
  rig.found('plc');
  t.deepEqual(rig.told, Array(3).fill(`plc ${JSON.stringify([ADDRESS])}`));
  await rig.ask('plc');
  t.deepEqual(rig.asked, ['plc', 'scale', 'plc']);
});

test('of names that are long in vain one at a time is looked up again: the others are told at once', async (t) => {
  const rig = new Rig();
  await rig.areVain('a', 'b', 'c');
  await rig.ask('a', 'b', 'c', 'b');
  t.deepEqual(rig.asked, ['a']);
  t.deepEqual(rig.told, ['b no b', 'c no c', 'b no b']);
  await rig.clock.advance(LONG_MS);
  rig.notFound('a');
  await rig.ask('c', 'a');
  t.deepEqual(rig.asked, ['a', 'c']);
});

test('a name that is found waits for none that is not', async (t) => {
  const rig = new Rig();
  await rig.areVain('a', 'b');
  await rig.ask('a', 'plc', 'b', 'scale');
  t.deepEqual(rig.asked, ['a', 'plc', 'scale']);
});

test('a name that is found again, or not found at once, is one like any other', async (t) => {
  const rig = new Rig();
  await rig.areVain('a', 'b', 'c');
  for (const host of ['a', 'b']) {
    await rig.ask(host);
    if (host === 'a') rig.found(host);
    else rig.notFound(host);
  }
  await rig.ask('c', 'a', 'b');
  t.deepEqual(rig.asked, ['a', 'b', 'c', 'a', 'b']);
});

test('who asks for one address gets the first', async (t) => {
  const names = new NameLookups({
    clock: new FakeClock(),
    system: (_host, _options, found) => process.nextTick(found, null, [ADDRESS, { address: '::1', family: 6 }]),
  });
  const told = await new Promise((resolve) => {
    names.lookup('plc', {}, (_error, address, family) => resolve([address, family]));
  });
  t.deepEqual(told, [ADDRESS.address, 4]);
});

test('a device is connected to at the address that was found for its name', async (t) => {
  const server = createServer((socket) => socket.on('error', () => {}));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo; // a TCP server has no string address
  const names = new NameLookups({
    clock: systemClock,
    system: (_host, _options, found) => process.nextTick(found, null, [{ address: '127.0.0.1', family: 4 }]),
  });
  const config = { type: 'tcp', host: 'plc.test', port, connect_timeout: 10_000, idle_timeout: 0 } as const;
  const link = await makeOpener(config, { clock: systemClock, names }).open(new AbortController().signal);
  t.is(link.name, `tcp plc.test:${port}`);
  await link.close();
  server.close();
});

test('a name that is still being looked up when the time for a connect is over is said to be the trouble', async (t) => {
  const clock = new FakeClock();
  const names = new NameLookups({ clock, system: () => {} });
  const config = { type: 'tcp', host: 'plc.test', port: 4001, connect_timeout: LONG_MS, idle_timeout: 0 } as const;
  const opening = makeOpener(config, { clock, names }).open(new AbortController().signal);
  const failed = t.throwsAsync(opening, { message: /the name in plc\.test:4001 .* 10 s .*does DNS work\?/ });
  await clock.advance(LONG_MS);
  await failed;
});

test('a device whose name was looked up in vain is told of its name, not of its device', async (t) => {
  const error = Object.assign(new Error('getaddrinfo EAI_AGAIN plc.test'), { code: 'EAI_AGAIN' });
  const names = new NameLookups({
    clock: systemClock,
    system: (_host, _options, found) => process.nextTick(found, error, []),
  });
  const config = { type: 'tcp', host: 'plc.test', port: 4001, connect_timeout: 10_000, idle_timeout: 0 } as const;
  const opening = makeOpener(config, { clock: systemClock, names }).open(new AbortController().signal);
  await t.throwsAsync(opening, { message: /the name in plc\.test:4001 is not known to the resolver/ });
});
