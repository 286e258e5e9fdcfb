import test from 'ava';
import { describeMatcher, type Matcher, matches } from '../../src/hil/rig-matcher.js';
import { makeRigMessage } from '../../src/hil/rig-message.js';

const fits = (matcher: Matcher, payload: string): boolean =>
  matches(matcher, makeRigMessage('t', Buffer.from(payload), false));

test('a string is the whole payload, an expression is found in it, bytes are all of it', (t) => {
  t.true(fits('on', 'on'));
  t.false(fits('on', 'one'));
  t.true(fits(/^ST,.*kg$/, 'ST,GS,+1,kg'));
  t.false(fits(/x/, 'ST'));
  t.true(fits(Buffer.from([0x6f, 0x6e]), 'on'));
  t.false(fits(Buffer.from([0x6f]), 'on'));
});

test('an object is part of the JSON: further keys do not matter, missing and different ones do', (t) => {
  const json = '{"state":"online","n":{"a":1,"b":[1,2]},"z":null}';
  t.true(fits({ state: 'online' }, json));
  t.true(fits({ n: { b: [1, 2] }, z: null }, json));
  t.false(fits({ state: 'offline' }, json));
  t.false(fits({ n: { b: [1] } }, json));
  t.false(fits({ toString: undefined }, json));
  t.false(fits({ state: 'online' }, 'no JSON'));
  t.false(fits({}, '[1]'));
});

test('values of an object may be expressions and functions', (t) => {
  t.true(fits({ value: (v: number) => v > 500, why: /lost/ }, '{"value":512,"why":"link lost"}'));
  t.false(fits({ value: (v: number) => v > 600 }, '{"value":512}'));
  t.false(fits({ why: /lost/ }, '{"why":3}'));
});

test('numbers, booleans and null are JSON values, a list is a whole list', (t) => {
  t.true(fits(512, '512'));
  t.false(fits(512, '"512"'));
  t.true(fits(false, 'false'));
  t.true(fits(null, 'null'));
  t.true(fits([1, { a: 2 }], '[1,{"a":2,"b":3}]'));
  t.false(fits([1], '[1,2]'));
});

test('a function sees the message', (t) => {
  t.true(
    fits(({ topic, text, json, payload }) => topic === 't' && text === '7' && json === 7 && payload.length === 1, '7'),
  );
});

test('an expression with g or y does not go on where it stood', (t) => {
  const pattern = /a/g;
  t.true(fits(pattern, 'a'));
  t.true(fits(pattern, 'a'));
});

test('a matcher can be told to people', (t) => {
  t.is(describeMatcher('on'), '"on"');
  t.is(describeMatcher(/x/i), '/x/i');
  t.is(describeMatcher(Buffer.from([1, 255])), 'bytes 01ff');
  t.is(describeMatcher({ why: /lost/, n: 1 }), '{"why":"/lost/","n":1}');
});
