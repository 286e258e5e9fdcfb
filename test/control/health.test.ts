import test from 'ava';
import {
  type DeviceHealth,
  groupHealthOf,
  type HealthInput,
  healthOf,
  retainedHealth,
} from '../../src/control/health.js';
import { GROUP_TRANSITIONS, type GroupState } from '../../src/core/lifecycle.js';
import { StateMachine } from '../../src/core/state-machine.js';
import { FakeClock } from '../support/fake-clock.js';

const ONLINE = { state: 'online', reason: 'connected' } as const;

function input(devices: readonly DeviceHealth[], more: Partial<HealthInput> = {}): HealthInput {
  return { isShuttingDown: false, broker: ONLINE, devices, dropped: 0, ...more };
}

/** A state machine that went this way; `reason`s as given. */
function after(...steps: readonly (readonly [GroupState, string])[]): ReturnType<typeof groupHealthOf> {
  const machine = new StateMachine<GroupState>({
    owner: 'test',
    table: GROUP_TRANSITIONS,
    initial: 'idle',
    clock: new FakeClock(),
  });
  for (const [state, reason] of steps) machine.go(state, reason);
  return groupHealthOf(machine);
}

test('all is well where broker and devices are online, or never were to be', (t) => {
  const devices: DeviceHealth[] = [
    { name: 'scale', ...ONLINE },
    { name: 'gps', ...ONLINE },
    { name: 'spare', state: 'disabled', reason: '' },
    { name: 'new', ...after(['connecting', 'start']) },
  ];
  t.deepEqual(healthOf(input(devices)), {
    healthy: true,
    status: 'ok',
    broker: 'online',
    devices: { online: 2, disabled: 1, connecting: 1 },
    reasons: [],
    dropped: 0,
  });
});

for (const state of ['silent', 'backing-off', 'parked', 'closed'] as const) {
  test(`a device that is ${state} degrades the gateway, with its reason, and leaves it healthy`, (t) => {
    const health = healthOf(input([{ name: 'scale', state, reason: 'why' }]));
    t.like(health, { healthy: true, status: 'degraded', reasons: [`scale: ${state}: why`], devices: { [state]: 1 } });
  });
}

test('a further attempt to connect is the same trouble: the health does not change with it', (t) => {
  const lost = [
    ['connecting', 'start'],
    ['backing-off', 'nobody listens'],
  ] as const;
  const waiting = healthOf(input([{ name: 'scale', ...after(...lost) }], { broker: after(...lost) }));
  const trying = [...lost, ['connecting', 'time to try again']] as const;
  t.deepEqual(healthOf(input([{ name: 'scale', ...after(...trying) }], { broker: after(...trying) })), waiting);
  t.deepEqual(waiting.reasons, ['broker: backing-off: nobody listens', 'scale: backing-off: nobody listens']);
});

test('a broker that is away, or not there yet, is a reason to look, not to kill', (t) => {
  t.like(healthOf(input([], { broker: { state: 'backing-off', reason: 'refused' } })), {
    healthy: true,
    status: 'degraded',
    broker: 'backing-off',
  });
  t.like(healthOf(input([], { broker: undefined })), { healthy: true, reasons: ['broker: not started'] });
});

test('only a gateway that shuts down is not healthy', (t) => {
  t.like(healthOf(input([], { isShuttingDown: true })), { healthy: false, reasons: ['the gateway is shutting down'] });
});

test('hundreds of devices in trouble give twenty reasons and a number', (t) => {
  const devices = Array.from({ length: 300 }, (_, i) => ({ name: `d${i}`, state: 'parked', reason: 'x' }) as const);
  const { reasons, devices: counts } = healthOf(input(devices));
  t.is(reasons.length, 21);
  t.is(reasons.at(-1), 'and 280 more');
  t.deepEqual(counts, { parked: 300 });
});

test('what is retained has none of the figures that are old at once', (t) => {
  const health = healthOf(input([], { spool: { state: 'disk', messages: 7, bytes: 99 } }));
  t.deepEqual(health.spool, { state: 'disk', messages: 7, bytes: 99 });
  t.deepEqual(JSON.parse(retainedHealth(health)).spool, { state: 'disk' });
});
