import test from 'ava';
import { GROUP_TRANSITIONS, type GroupState } from '../../src/core/lifecycle.js';
import { IllegalTransition, StateMachine, type Transition } from '../../src/core/state-machine.js';
import { FakeClock } from '../support/fake-clock.js';
import { fc } from '../support/properties.js';

const STATES = Object.keys(GROUP_TRANSITIONS) as GroupState[];

function machineOf(initial: GroupState = 'idle') {
  const clock = new FakeClock({ start: 1000 });
  const told: Transition<GroupState>[] = [];
  const machine = new StateMachine<GroupState>({
    owner: 'group scale',
    table: GROUP_TRANSITIONS,
    initial,
    clock,
    onChange: (transition) => told.push(transition),
  });
  return { clock, machine, told };
}

test('a legal transition changes state, reason and time, and is told', async (t) => {
  const { clock, machine, told } = machineOf();
  await clock.advance(5);
  machine.go('connecting', 'started');
  t.is(machine.state, 'connecting');
  t.is(machine.reason, 'started');
  t.is(machine.since, 1005);
  t.deepEqual(told, [{ from: 'idle', to: 'connecting', reason: 'started', at: 1005 }]);
  t.deepEqual(machine.history, told);
});

test('an illegal transition throws, names everything, and changes nothing', (t) => {
  const { machine, told } = machineOf();
  const error = t.throws(() => machine.go('online', 'wishful thinking'), { instanceOf: IllegalTransition });
  t.is(error?.code, 'illegal-transition');
  t.is(error?.message, 'group scale: no way from state idle to online (wishful thinking)');
  t.is(machine.state, 'idle');
  t.is(machine.reason, '');
  t.deepEqual(machine.history, []);
  t.deepEqual(told, []);
});

test('the last 32 transitions are kept, and a history once read does not change under the reader', (t) => {
  const { machine } = machineOf();
  machine.go('connecting', 'first');
  machine.go('online', '0');
  for (let i = 1; i <= 40; i += 1) machine.go(i % 2 ? 'silent' : 'online', String(i));
  const { history } = machine;
  t.deepEqual(
    history.map(({ reason }) => reason),
    Array.from({ length: 32 }, (_, i) => String(i + 9)),
  );
  machine.go('silent', 'later');
  t.is(history.at(-1)?.reason, '40');
});

test('every state but closed can be closed, and closed is the end', (t) => {
  for (const state of STATES) {
    if (state === 'closing' || state === 'closed') continue;
    t.true(GROUP_TRANSITIONS[state].includes('closing'), state);
  }
  t.deepEqual(GROUP_TRANSITIONS.closing, ['closed']);
  t.deepEqual(GROUP_TRANSITIONS.closed, []);
});

test('every state can be reached from idle, and no state follows itself', (t) => {
  const reached = new Set<GroupState>(['idle']);
  for (const state of reached) for (const next of GROUP_TRANSITIONS[state]) reached.add(next);
  t.deepEqual([...reached].sort(), [...STATES].sort());
  for (const state of STATES) t.false(GROUP_TRANSITIONS[state].includes(state), state);
});

/** Tries a step: legal ones must be taken, others must throw and change nothing. */
function tryStep(machine: StateMachine<GroupState>, to: GroupState): void {
  const from = machine.state;
  const isLegal = GROUP_TRANSITIONS[from].includes(to);
  if (machine.can(to) !== isLegal) throw new Error(`can(${to}) from ${from}`);
  let hasThrown = false;
  try {
    machine.go(to, 'walk');
  } catch (error) {
    if (!(error instanceof IllegalTransition)) throw error;
    hasThrown = true;
  }
  if (hasThrown === isLegal || machine.state !== (isLegal ? to : from))
    throw new Error(`from ${from} to ${machine.state}`);
}

test('random walks never leave the table', (t) => {
  const walks = fc.array(fc.constantFrom(...STATES), { maxLength: 60 });
  fc.assert(
    fc.property(fc.constantFrom(...STATES), walks, (initial, walk) => {
      const { machine } = machineOf(initial);
      for (const to of walk) tryStep(machine, to);
      const { history } = machine;
      return history.length <= 32 && history.every(({ from, to }) => GROUP_TRANSITIONS[from].includes(to));
    }),
    { numRuns: 300 },
  );
  t.pass();
});
