import test from 'ava';
import { GROUP_TRANSITIONS, type GroupState } from '../../src/core/lifecycle.js';
import { StateMachine } from '../../src/core/state-machine.js';
import { Thread } from '../../src/core/thread.js';
import { LastCrashes } from '../../src/group/last-crashes.js';
import { FakeClock } from '../support/fake-clock.js';

const crash = new Error('cannot read this');

function rig() {
  const clock = new FakeClock();
  const table = GROUP_TRANSITIONS;
  const state = new StateMachine<GroupState>({ owner: 'group scale', table, initial: 'idle', clock });
  const told: unknown[] = [];
  const crashes = new LastCrashes(clock, { state, onCrash: (_, error) => told.push(error) });
  const thread = new Thread({ label: 'receive' }, { id: 'scale', clock });
  return { clock, state, told, outlive: () => crashes.outlive(crash, thread) };
}

test('a crash ends the thread, unless the device closes', (t) => {
  const { state, told, outlive } = rig();
  t.is(t.throws(outlive), crash);
  state.go('closing', 'test');
  outlive();
  t.deepEqual(told, [crash]);
});

test('a driver that hangs again and again holds up the end, and the fail-safe bytes, for a short time only', async (t) => {
  const { state, clock, told, outlive } = rig();
  state.go('closing', 'test');
  outlive(); // after 2 s of a hang
  await clock.advance(2100);
  t.throws(outlive);
  t.is(told.length, 1);
});
