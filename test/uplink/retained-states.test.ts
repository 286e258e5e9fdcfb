import test from 'ava';
import { RetainedStates } from '../../src/uplink/retained-states.js';

/** Says all that has changed; with `arrives`, the broker acknowledges it at once. */
function say(states: RetainedStates, arrives = true): string[] {
  const said: string[] = [];
  for (let state = states.next(); state !== undefined; state = states.next()) {
    said.push(`${state.topic}=${state.payload}`);
    states.said(state.topic);
    if (arrives) states.arrived(state);
  }
  return said;
}

test('a value is said once, a change again, what is set anew to the same value not', (t) => {
  const states = new RetainedStates();
  states.set('a', '1');
  states.set('b', '1');
  t.deepEqual(say(states), ['a=1', 'b=1']);
  states.set('a', '1');
  states.set('b', '2');
  t.deepEqual(say(states), ['b=2']);
  t.false(states.hasChanged);
});

test('several changes before it is said become the last one', (t) => {
  const states = new RetainedStates();
  for (const value of ['1', '2', '3']) states.set('a', value);
  t.deepEqual(say(states), ['a=3']);
});

test('with a new session everything is said again', (t) => {
  const states = new RetainedStates();
  states.set('a', '1');
  states.set('b', '1');
  say(states);
  states.allChanged();
  t.deepEqual(say(states), ['a=1', 'b=1']);
});

test('a cleared topic is said empty, and again with the next session until the broker has confirmed it', (t) => {
  const states = new RetainedStates();
  states.set('a', '1');
  say(states);
  states.clear('a');
  t.deepEqual(say(states, false), ['a=']);
  states.allChanged();
  t.deepEqual(say(states), ['a=']);
  states.allChanged();
  t.deepEqual(say(states), []);
  t.is(states.size, 0);
});

test('a topic that no session has heard of leaves nothing behind when it is cleared', (t) => {
  const states = new RetainedStates();
  for (let peer = 0; peer < 1000; peer += 1) {
    states.set(`peer-${peer}`, 'online');
    states.clear(`peer-${peer}`);
  }
  t.is(states.size, 0);
  t.false(states.hasChanged);
});

test('a topic that comes back while its clearing is on its way stays', (t) => {
  const states = new RetainedStates();
  states.set('a', '1');
  say(states);
  states.clear('a');
  const cleared = states.next();
  states.said('a');
  states.set('a', '2');
  if (cleared) states.arrived(cleared);
  t.deepEqual(say(states), ['a=2']);
  t.is(states.size, 1);
});

test('what is not taken stays to be said, with what follows it', (t) => {
  const states = new RetainedStates();
  for (const topic of ['a', 'b', 'c']) states.set(topic, '1');
  const taken: string[] = [];
  states.say(({ topic }) => taken.length < 1 && taken.push(topic) > 0);
  t.deepEqual(taken, ['a']);
  states.set('b', '2');
  t.deepEqual(say(states), ['b=2', 'c=1']);
});
