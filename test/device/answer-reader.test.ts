import test from 'ava';
import { AnswerReader } from '../../src/device/answer-reader.js';

const command = { verb: 'set', payload: Buffer.from('go') } as const;
const frame = Buffer.from('frame');

test('without a command no frame is an answer, and the driver is not asked', (t) => {
  const reader = new AnswerReader(() => t.fail());
  t.is(reader.read(frame), 'no-answer');
  t.false(reader.isWaiting);
});

test('the driver sees the frame and the command; undefined leaves the command waiting', async (t) => {
  const seen: unknown[] = [];
  let said: unknown;
  const reader = new AnswerReader((...args) => {
    seen.push(args);
    return said;
  });
  const answer = reader.await(command);
  t.is(reader.read(frame), 'no-answer');
  t.true(reader.isWaiting);
  t.deepEqual(seen, [[frame, command]]);
  said = { ok: true, data: [1, undefined] };
  t.is(reader.read(frame), 'answer');
  t.deepEqual(await answer, { ok: true, data: [1, null] }, 'as JSON has it');
  t.false(reader.isWaiting);
});

test('one command waits at a time', async (t) => {
  const reader = new AnswerReader(() => ({ ok: true, isReading: true }));
  const first = reader.await(command);
  const second = reader.await(command);
  t.deepEqual(await first, { ok: false, reason: 'not answered before the next command' });
  t.is(reader.read(frame), 'answer-and-reading');
  t.deepEqual(await second, { ok: true });
});

test('an answer that is late is no answer, ends the wait all the same, and the next one counts again', async (t) => {
  const reader = new AnswerReader(() => ({ ok: true, data: 1 }));
  const late = reader.await(command);
  reader.takeAsReading();
  t.true(reader.isWaiting);
  t.is(reader.read(frame), 'no-answer');
  t.false(reader.isWaiting);
  t.deepEqual(await late, { ok: true, data: 1 });
  reader.takeAsReading();
  const next = reader.await(command);
  t.is(reader.read(frame), 'answer');
  t.deepEqual(await next, { ok: true, data: 1 });
});

for (const [what, said] of [
  ['a promise', Promise.reject(new Error('later'))],
  ['true', true],
  ['null', null],
  ['no reason', { ok: false }],
  ['a number', { ok: 1 }],
  ['a BigInt', { ok: true, data: 1n }],
  ['a function', { ok: true, data: () => 1 }],
] as const) {
  test(`a confirm that answers ${what} is told as a bug of the driver`, async (t) => {
    const reader = new AnswerReader(() => said);
    const answer = reader.await(command);
    t.is(reader.read(frame), 'answer');
    t.regex(JSON.stringify(await answer), /"ok":false,"reason":"sent, but there is a bug in the driver/);
  });
}
