import test from 'ava';
import { memoryLink } from '../../../src/device/links/memory.js';
import { linkContract, openWatched } from '../../contracts/link.js';
import { FakeClock } from '../../support/fake-clock.js';

linkContract('memory', async () => {
  const { opener, far } = memoryLink();
  return {
    opener,
    send: async (bytes) => far.send(bytes),
    received: () => Buffer.concat(far.received),
    unplug: async () => far.unplug(),
    close: async () => far.unplug(),
  };
});

test('a paused memory link holds bytes back and hands them over on resume', async (t) => {
  const { opener, far } = memoryLink();
  const { link, bytes } = await openWatched(opener);
  link.pause();
  far.send('held');
  t.true(far.isPaused);
  t.is(bytes().length, 0);
  link.resume();
  t.is(bytes().toString(), 'held');
});

test('a memory link that cannot pause goes on talking', async (t) => {
  const { opener, far } = memoryLink({ canPause: false });
  const { link, bytes } = await openWatched(opener);
  link.pause();
  far.send('still talking');
  t.is(bytes().toString(), 'still talking');
});

test('a far end that refuses makes open fail, and changed resolves when it accepts', async (t) => {
  const { opener, far } = memoryLink();
  far.refuse('busy');
  const error = await t.throwsAsync(opener.open(new AbortController().signal));
  t.like(error, { trouble: 'busy' });
  const changed = opener.changed?.(new AbortController().signal);
  far.accept();
  await changed;
  t.is((await openWatched(opener)).losses.length, 0);
  t.is(far.opens, 1);
});

test('a stalled write settles on release, or as lost', async (t) => {
  const { opener, far } = memoryLink();
  const first = await openWatched(opener);
  far.stall();
  const held = first.link.write(Buffer.from('a'));
  far.release();
  t.is(await held, 'written');
  far.stall();
  const lost = first.link.write(Buffer.from('b'));
  far.unplug('reset');
  t.is(await lost, 'lost');
  t.is(first.losses[0]?.trouble, 'reset');
  t.is(Buffer.concat(far.received).toString(), 'a');
});

test('a link that receives nothing for its idle timeout is lost as idle, exactly then', async (t) => {
  const clock = new FakeClock();
  const { opener, far } = memoryLink({ clock, idleTimeoutMs: 1000 });
  const { losses } = await openWatched(opener);
  await clock.advance(900);
  far.send('alive');
  await clock.advance(999);
  t.is(losses.length, 0);
  await clock.advance(1);
  t.is(losses[0]?.trouble, 'idle');
  t.true(losses[0]?.detail.includes('idle_timeout'));
  t.is(clock.pending, 0);
});

test('a paused link is not idle: silence counts from the resume on', async (t) => {
  const clock = new FakeClock();
  const { opener } = memoryLink({ clock, idleTimeoutMs: 1000 });
  const { link, losses } = await openWatched(opener);
  link.pause();
  await clock.advance(5500);
  link.resume();
  await clock.advance(999);
  t.is(losses.length, 0);
  await clock.advance(1000);
  t.is(losses[0]?.trouble, 'idle');
});
