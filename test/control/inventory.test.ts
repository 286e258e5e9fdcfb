import test, { type ExecutionContext } from 'ava';
import { Inventory } from '../../src/control/inventory.js';
import { ThreadGroup } from '../../src/core/thread-group.js';
import { ThreadRegistry } from '../../src/core/thread-registry.js';
import type { DownMessage, EventUp } from '../../src/device/message.js';
import { FakeClock } from '../support/fake-clock.js';

class Rig {
  readonly clock = new FakeClock();
  readonly registry = new ThreadRegistry<DownMessage>(this.clock);
  readonly published: Record<string, unknown>[][] = [];
  readonly events: EventUp[] = [];
  readonly inventory: Inventory;
  /** The devices of the config; default: those that have a group. */
  names: readonly string[] | undefined;

  constructor(t: ExecutionContext) {
    const devices = new Set(['scale', 'hall/sensors']);
    this.inventory = new Inventory({
      clock: this.clock,
      registry: this.registry,
      names: () => this.names ?? this.registry.ids().filter((id) => devices.has(id)),
      facts: (device) => (devices.has(device) ? { driver: 'lines', link: 'tcp://10.0.0.5:4001' } : undefined),
      dropped: (device) => (device === 'scale' ? 7 : 0),
      publishDevices: (payload) => this.published.push(JSON.parse(payload)),
      publishEvent: (event) => this.events.push(event),
    });
    t.teardown(() => this.inventory.close());
  }

  group(id: string): ThreadGroup {
    const group = new ThreadGroup({
      id,
      clock: this.clock,
      onTransition: (transition) => this.registry.emit({ kind: 'transition', group: id, transition }),
      figures: () => ({ bytesIn: 3 }),
    });
    this.registry.add(group, () => 'queued', 1);
    return group;
  }
}

test('a burst of changes becomes one bridge/devices, a second after its beginning', async (t) => {
  const rig = new Rig(t);
  const scale = rig.group('scale');
  for (const state of ['connecting', 'online', 'silent', 'online', 'backing-off'] as const) {
    scale.state.go(state, 'test');
    await rig.clock.advance(100);
  }
  t.is(rig.published.length, 0);
  await rig.clock.advance(1000);
  t.is(rig.published.length, 1);
  t.like(rig.published[0]?.[0], { name: 'scale', state: 'backing-off', reason: 'test' });
  await rig.clock.advance(60_000);
  t.is(rig.published.length, 1, 'nothing has changed since');
});

test('a device whose group has ended is still shown, as closed', (t) => {
  const rig = new Rig(t);
  rig.names = ['scale'];
  t.deepEqual(rig.inventory.list(), [
    { name: 'scale', driver: 'lines', link: 'tcp://10.0.0.5:4001', state: 'closed', dropped: 7 },
  ]);
});

test('a device is shown with its driver, link, state, counters and what was dropped', (t) => {
  const rig = new Rig(t);
  rig.group('scale');
  t.deepEqual(rig.inventory.list(), [
    {
      name: 'scale',
      driver: 'lines',
      link: 'tcp://10.0.0.5:4001',
      state: 'idle',
      since: '2026-01-01T00:00:00.000Z',
      reason: '',
      counters: { bytes_in: 3 },
      dropped: 7,
    },
  ]);
});

test('events are told for devices only, one for each change of state', (t) => {
  const rig = new Rig(t);
  rig.group('bridge/mqtt').state.go('connecting', 'connecting');
  rig.group('hall/sensors/10.0.0.9-4000').state.go('connecting', 'connecting');
  rig.group('scale').state.go('connecting', 'opening');
  t.deepEqual(rig.events, [
    {
      kind: 'event',
      event: 'state',
      data: { device: 'scale', from: 'idle', to: 'connecting', reason: 'opening', at: rig.clock.wall() },
    },
  ]);
});

test('the connections of a listener are listed with it, at most 64, and counted', (t) => {
  const rig = new Rig(t);
  const listener = rig.group('hall/sensors');
  for (let peer = 0; peer < 100; peer += 1) listener.adopt(rig.group(`hall/sensors/${peer}`));
  const [device, ...others] = rig.inventory.list();
  const connections = device?.connections;
  t.is(Array.isArray(connections) ? connections.length : undefined, 64);
  t.is(device?.connections_total, 100);
  t.deepEqual(others, []);
});

test('what is no change of state is shown on request, together with what else happens in that second', async (t) => {
  const rig = new Rig(t);
  rig.inventory.refresh();
  rig.group('scale');
  rig.inventory.refresh();
  await rig.clock.advance(1000);
  t.is(rig.published.length, 1);
});

test('flush publishes now what would have been published soon; after close nothing is', async (t) => {
  const rig = new Rig(t);
  const scale = rig.group('scale');
  rig.inventory.flush();
  t.is(rig.published.length, 1);
  t.is(rig.clock.pending, 0);
  scale.state.go('connecting', 'test');
  rig.inventory.close();
  scale.state.go('online', 'test');
  rig.inventory.refresh();
  await rig.clock.advance(5000);
  t.is(rig.published.length, 1);
  t.is(rig.events.length, 1);
});
