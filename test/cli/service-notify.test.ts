import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { type NotifyingGateway, ServiceNotify, statusWords } from '../../src/cli/service-notify.js';
import { type NotifyResult, NotifyUnavailableError, openNotifySocket } from '../../src/cli/service-notify-socket.js';
import { ThreadGroup } from '../../src/core/thread-group.js';
import { ThreadRegistry } from '../../src/core/thread-registry.js';
import { FakeClock } from '../support/fake-clock.js';
import { listenForNotify } from '../support/notify-listener.js';
import { RecordingLog } from '../support/recording-log.js';

const WATCHDOG = { NOTIFY_SOCKET: '@x', WATCHDOG_USEC: '30000000', WATCHDOG_PID: '42' };
const LIMIT_MS = 20_000;

/** A service with a real registry, and a socket whose messages are kept. */
class Rig {
  readonly clock = new FakeClock();
  readonly log = new RecordingLog();
  readonly registry = new ThreadRegistry<string>(this.clock);
  readonly said: string[] = [];
  readonly health = { broker: 'online', devices: { online: 1 }, reasons: [] } as {
    broker: 'online';
    devices: Record<string, number>;
    reasons: string[];
  };
  result: NotifyResult = 'sent';
  opened = 0;

  open(env: Record<string, string> = WATCHDOG): Promise<ServiceNotify> {
    const { clock, log } = this;
    return ServiceNotify.open({ env, clock, log, monotonicUs: () => 123n, pid: 42, open: () => this.#socket() });
  }

  get gateway(): NotifyingGateway {
    return { health: () => this.health, registry: this.registry };
  }

  /** A thread that is busy, for ever, from now on. */
  stickThread(id: string): ThreadGroup {
    const group = new ThreadGroup({
      id,
      clock: this.clock,
      onTransition: (transition) => this.registry.emit({ kind: 'transition', group: id, transition }),
    });
    group.add({
      label: 'send',
      body: (thread) => {
        thread.busy('writing command 7');
        return new Promise(() => {});
      },
    });
    this.registry.add(group, () => 'queued', 1);
    group.start();
    return group;
  }

  count(text: string): number {
    return this.said.filter((line) => line === text).length;
  }

  async #socket(): Promise<{ send(text: string): NotifyResult; close(): void }> {
    this.opened += 1;
    return {
      send: (text) => {
        if (this.result === 'sent') this.said.push(text);
        return this.result;
      },
      close: () => {},
    };
  }
}

test('without NOTIFY_SOCKET no socket is opened, nothing is said, and a reload is just a reload', async (t) => {
  const rig = new Rig();
  const service = await rig.open({ WATCHDOG_USEC: '30000000' });
  service.ready(rig.gateway, () => LIMIT_MS);
  t.is(await service.reloading(async () => 7), 7);
  service.stopping('SIGTERM', 8000);
  await rig.clock.advance(60_000);
  t.deepEqual([rig.opened, rig.said, rig.clock.pending], [0, [], 0]);
});

test('READY comes with the status, RELOADING with the time, STOPPING with the time that it may take', async (t) => {
  const rig = new Rig();
  const service = await rig.open({ NOTIFY_SOCKET: '@x' });
  service.ready(rig.gateway, () => LIMIT_MS);
  await t.throwsAsync(
    service.reloading(async () => Promise.reject(new Error('a bad config'))),
    { message: 'a bad config' },
  );
  service.stopping('SIGTERM', 8000);
  t.deepEqual(rig.said, [
    'READY=1\nSTATUS=1 of 1 devices online; broker online',
    'RELOADING=1\nMONOTONIC_USEC=123',
    'READY=1',
    'STOPPING=1\nSTATUS=stopping: SIGTERM\nEXTEND_TIMEOUT_USEC=13000000',
  ]);
});

test('a reload before the gateway is ready does not make it ready', async (t) => {
  const rig = new Rig();
  const service = await rig.open();
  await service.reloading(async () => {});
  t.deepEqual(rig.said, []);
});

test('a burst of changes is one STATUS, and none if it comes out the same', async (t) => {
  const rig = new Rig();
  const service = await rig.open({ NOTIFY_SOCKET: '@x' });
  service.ready(rig.gateway, () => LIMIT_MS);
  const group = rig.stickThread('scale');
  await rig.clock.advance(1000);
  t.is(rig.said.length, 1);
  rig.health.devices = { online: 1, 'backing-off': 2, disabled: 1 };
  rig.health.reasons = ['cell: backing-off:\nrefused', 'scale: parked'];
  group.state.go('connecting', 'start');
  group.state.go('online', 'up');
  await rig.clock.advance(1000);
  t.deepEqual(rig.said.slice(1), [
    'STATUS=1 of 3 devices online, 1 disabled; broker online; cell: backing-off: refused (and 1 more)',
  ]);
  service.close();
  t.is(rig.clock.pending, 0);
});

test('WATCHDOG comes three times within its time while nobody is stuck', async (t) => {
  const rig = new Rig();
  const service = await rig.open();
  service.ready(rig.gateway, () => LIMIT_MS);
  await rig.clock.advance(30_000 - 1);
  t.is(rig.count('WATCHDOG=1'), 3);
  service.close();
});

test('WATCHDOG stays away while a thread is stuck, which is told once, and comes again when it moves', async (t) => {
  const rig = new Rig();
  const service = await rig.open();
  rig.stickThread('scale');
  service.ready(rig.gateway, () => LIMIT_MS);
  await rig.clock.advance(LIMIT_MS + 1);
  const before = rig.count('WATCHDOG=1');
  t.true(before >= 2);
  await rig.clock.advance(100_000);
  t.is(rig.count('WATCHDOG=1'), before);
  t.is(rig.log.at('error').length, 1);
  t.regex(
    rig.log.at('error')[0]?.message ?? '',
    /^stuck for \d+ s \(writing command 7\): the watchdog of systemd is not fed$/,
  );
  t.is(rig.said.at(-1), 'STATUS=1 of 1 devices online; broker online; stuck: scale/send (writing command 7)');
  rig.registry.remove(rig.registry.get('scale') as ThreadGroup);
  await rig.clock.advance(10_000);
  t.is(rig.count('WATCHDOG=1'), before + 1);
  t.is(rig.log.matching('fed again').length, 1);
  service.close();
});

test('a shutdown is not cut short by the watchdog: it has a deadline of its own', async (t) => {
  const rig = new Rig();
  const service = await rig.open();
  rig.stickThread('scale');
  service.ready(rig.gateway, () => 0);
  await rig.clock.advance(20_000);
  const before = rig.count('WATCHDOG=1');
  void rig.registry.shutdown(60_000, 'SIGTERM');
  service.stopping('SIGTERM', 60_000);
  await rig.clock.advance(20_001);
  t.is(rig.count('WATCHDOG=1'), before + 2);
  service.close();
});

test('a watchdog that is meant for another process is not fed', async (t) => {
  const rig = new Rig();
  const service = await rig.open({ ...WATCHDOG, WATCHDOG_PID: '43' });
  service.ready(rig.gateway, () => LIMIT_MS);
  await rig.clock.advance(60_000);
  t.is(rig.count('WATCHDOG=1'), 0);
  t.is(rig.clock.pending, 0);
});

test('what a full socket does not take is said later, in order', async (t) => {
  const rig = new Rig();
  const service = await rig.open({ NOTIFY_SOCKET: '@x' });
  rig.result = 'full';
  service.ready(rig.gateway, () => LIMIT_MS);
  service.stopping('SIGTERM', 8000);
  await rig.clock.advance(1000);
  t.deepEqual(rig.said, []);
  rig.result = 'sent';
  await rig.clock.advance(50);
  t.deepEqual(
    rig.said.map((text) => text.slice(0, 7)),
    ['READY=1', 'STOPPIN'],
  );
});

test('a socket that fails is told once, and left alone', async (t) => {
  const rig = new Rig();
  const service = await rig.open();
  rig.result = { code: 'ECONNREFUSED' };
  service.ready(rig.gateway, () => LIMIT_MS);
  await rig.clock.advance(60_000);
  service.stopping('SIGTERM', 8000);
  t.deepEqual(
    rig.log.at('error').map(({ message }) => message),
    ['systemd cannot be told how this service is: ECONNREFUSED; going on without it'],
  );
  t.is(rig.clock.pending, 0);
});

test('a socket that cannot be opened is told once, and the gateway runs without', async (t) => {
  const log = new RecordingLog();
  const clock = new FakeClock();
  const open = (): Promise<never> => Promise.reject(new NotifyUnavailableError('koffi does not load (no binary)'));
  const env = { NOTIFY_SOCKET: '/run/x' };
  const service = await ServiceNotify.open({ env, clock, log, monotonicUs: () => 0n, pid: 1, open });
  service.ready(new Rig().gateway, () => LIMIT_MS);
  t.is(log.lines.length, 1);
  t.true(log.find('koffi does not load') !== undefined);
});

test('a status is one line, and not endless', (t) => {
  const reasons = [`cell: ${'x\nREADY=1\u0000'.repeat(100)}`];
  const words = statusWords({ broker: 'online', devices: {}, reasons }, []);
  t.is(words.length, 300);
  t.false(/\p{Cc}/u.test(words));
});

async function isHeard(t: ExecutionContext, address: string): Promise<void> {
  const listener = listenForNotify(t, address);
  const socket = await openNotifySocket(address);
  t.is(socket.send('READY=1\nSTATUS=größer'), 'sent');
  await listener.waitFor('READY');
  t.deepEqual(listener.heard, [{ READY: '1', STATUS: 'größer' }]);
  socket.close();
  socket.close();
  t.deepEqual(socket.send('X=1'), { code: 'EBADF' });
}

test('a message arrives at an abstract address', (t) => isHeard(t, `@ferrule-${randomUUID()}`));

test('a message arrives at a path', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'ferrule-notify-'));
  t.teardown(() => rmSync(dir, { recursive: true }));
  await isHeard(t, join(dir, 'notify'));
});

test('nobody at the address is a code, no exception', async (t) => {
  const socket = await openNotifySocket('/nonexistent/notify');
  t.deepEqual(socket.send('READY=1'), { code: 'ENOENT' });
  socket.close();
});

test('an address that is none is refused in words', async (t) => {
  for (const address of ['vsock:2:1', '@', `/${'x'.repeat(120)}`]) {
    await t.throwsAsync(openNotifySocket(address), {
      instanceOf: NotifyUnavailableError,
      message: /^NOTIFY_SOCKET is neither/,
    });
  }
});

test('a reload that is asked for while the gateway ends is not told: STOPPING is the last word', async (t) => {
  const rig = new Rig();
  const service = await rig.open({ NOTIFY_SOCKET: '@x' });
  service.ready(rig.gateway, () => LIMIT_MS);
  void rig.registry.shutdown(8000, 'SIGTERM');
  service.stopping('SIGTERM', 8000);
  t.is(await service.reloading(async () => 7), 7);
  t.regex(rig.said.at(-1) ?? '', /^STOPPING=1\n/);
});
