import { getEventListeners } from 'node:events';
import test from 'ava';
import type { CommandAnswer } from '../../src/device/decoder.js';
import { AnswerWait, LINK_LOST } from '../../src/group/answer-wait.js';
import { FakeClock } from '../support/fake-clock.js';

const NEVER = new Promise<CommandAnswer>(() => {});

function waiting(answer: Promise<CommandAnswer>) {
  const clock = new FakeClock();
  const stop = new AbortController();
  const wait = new AnswerWait(clock, 5000);
  const said = wait.for(answer, stop.signal);
  /** What the wait has left behind. */
  const left = (): number => clock.pending + getEventListeners(stop.signal, 'abort').length;
  return { clock, stop, wait, said, left };
}

// The signal lives as long as the thread: a device that is asked once a second would gather a listener each time.
test('a wait leaves neither timer nor listener, however it ends', async (t) => {
  const answered = waiting(Promise.resolve({ ok: true }));
  t.deepEqual(await answered.said, { ok: true });
  t.is(answered.left(), 0, 'answered');
  const late = waiting(NEVER);
  await late.clock.advance(5000);
  t.is(await late.said, late.wait.noAnswer);
  t.is(late.left(), 0, 'too late');
  const lost = waiting(NEVER);
  lost.wait.onLost();
  t.is(await lost.said, LINK_LOST);
  t.is(lost.left(), 0, 'lost');
  const closed = waiting(NEVER);
  closed.stop.abort();
  t.like(await closed.said, { ok: false, reason: 'sent, but the device was closed before it answered' });
  t.is(closed.left(), 0, 'closed');
});

test('an answer that comes after its wait does not keep the next one from hearing that the link is lost', async (t) => {
  let answer = (_: CommandAnswer): void => {};
  const { clock, stop, wait, said } = waiting(
    new Promise((resolve) => {
      answer = resolve;
    }),
  );
  await clock.advance(5000);
  t.is(await said, wait.noAnswer);
  const next = wait.for(NEVER, stop.signal);
  answer({ ok: true });
  await clock.settle();
  wait.onLost();
  t.is(await Promise.race([next, clock.settle()]), LINK_LOST);
});
