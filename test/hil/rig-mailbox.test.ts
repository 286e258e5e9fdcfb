import test from 'ava';
import { Mailbox } from '../../src/hil/rig-mailbox.js';
import { makeRigMessage, type RigMessage } from '../../src/hil/rig-message.js';
import { FakeClock } from '../support/fake-clock.js';

const message = (topic: string, text: string): RigMessage => makeRigMessage(topic, Buffer.from(text), false);
const is =
  (text: string) =>
  (found: RigMessage): boolean =>
    found.text === text;
const textOf = (found: RigMessage | string): string => (typeof found === 'string' ? found : found.text);

const makeBox = (...texts: string[]) => {
  const clock = new FakeClock();
  const box = new Mailbox(clock);
  for (const text of texts) box.take(message('a', text));
  return { clock, box };
};

test('a message is found whether it comes before or after it is asked for', async (t) => {
  const { box, clock } = makeBox('1');
  t.is(textOf(await box.next('a', is('1'), 10)), '1');
  const later = box.next('a', is('2'), 10);
  box.take(message('a', '2'));
  t.is(textOf(await later), '2');
  t.is(clock.pending, 0);
});

test('what was found is read, and what came before it too; what came after is not', async (t) => {
  const { box, clock } = makeBox('1', '2', '3', '2');
  t.is(textOf(await box.next('a', is('2'), 10)), '2');
  t.is(textOf(await box.next('a', () => true, 10)), '3');
  const first = box.next('a', is('1'), 10);
  await clock.advance(10);
  t.is(await first, 'timeout');
  t.is(textOf(await box.next('a', is('2'), 10)), '2', 'a search in vain has read nothing');
});

test('topics do not mix', async (t) => {
  const { box, clock } = makeBox('1');
  const other = box.next('b', is('1'), 10);
  box.take(message('a', '1'));
  await clock.advance(10);
  t.is(await other, 'timeout');
  t.deepEqual([...box.counts], [['a', 2]]);
});

test('forgetting reads one topic, or all', async (t) => {
  const { box, clock } = makeBox('1');
  box.take(message('b', '1'));
  box.forget('a');
  t.is(textOf(await box.next('b', is('1'), 10)), '1');
  const gone = box.next('a', is('1'), 10);
  await clock.advance(10);
  t.is(await gone, 'timeout');
  box.take(message('a', '2'));
  box.forget();
  box.close();
  t.is(await box.next('a', is('2'), 10), 'closed');
});

test('closing tells who waits, and what is unread can still be read', async (t) => {
  const { box, clock } = makeBox('1');
  const waiting = box.next('a', is('2'), 10);
  box.close();
  t.is(await waiting, 'closed');
  t.is(textOf(await box.next('a', is('1'), 10)), '1');
  t.is(clock.pending, 0);
});

test('an expectation that throws fails alone', async (t) => {
  const { box } = makeBox();
  const bad = box.next('a', () => JSON.parse('{'), 10);
  const good = box.next('a', is('1'), 10);
  box.take(message('a', '1'));
  await t.throwsAsync(bad, { instanceOf: SyntaxError });
  t.is(textOf(await good), '1');
});

test('a flood keeps the last thousand', async (t) => {
  const { box } = makeBox(...Array.from({ length: 1500 }, (_, i) => String(i)));
  t.is(textOf(await box.next('a', () => true, 10)), '500');
});
