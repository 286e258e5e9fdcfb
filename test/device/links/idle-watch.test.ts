import test from 'ava';
import { IdleWatch, type Quiet } from '../../../src/device/links/idle-watch.js';
import { FakeClock } from '../../support/fake-clock.js';

const TIMEOUT_MS = 64_000;

function watchOf() {
  const clock = new FakeClock();
  const watch = new IdleWatch(clock, TIMEOUT_MS);
  const idle: string[] = [];
  const link = (name: string): Quiet & { quietSince: number | undefined } => {
    const quiet = {
      quietSince: clock.now() as number | undefined,
      onIdle: () => {
        idle.push(name);
        watch.remove(quiet);
      },
    };
    watch.add(quiet);
    return quiet;
  };
  return { clock, watch, idle, link };
}

test('a link is told when nothing has come for the timeout, and one that has spoken a timeout later', async (t) => {
  const { clock, idle, link } = watchOf();
  link('silent');
  const talking = link('talking');
  await clock.advance(TIMEOUT_MS / 2);
  talking.quietSince = clock.now();
  await clock.advance(TIMEOUT_MS / 2 - 1);
  t.deepEqual(idle, []);
  await clock.advance(1);
  t.deepEqual(idle, ['silent']);
  await clock.advance(TIMEOUT_MS / 2);
  t.deepEqual(idle, ['silent', 'talking']);
  t.is(clock.pending, 0);
});

test('a link that nobody listens to is not idle, however long that takes', async (t) => {
  const { clock, idle, link } = watchOf();
  const paused = link('paused');
  paused.quietSince = undefined;
  await clock.advance(10 * TIMEOUT_MS);
  t.deepEqual(idle, []);
  paused.quietSince = clock.now();
  await clock.advance(TIMEOUT_MS);
  t.deepEqual(idle, ['paused']);
});

test('a thousand links have one timer, and it is gone with the last of them', (t) => {
  const { clock, watch, link } = watchOf();
  const links = Array.from({ length: 1000 }, (_, n) => link(String(n)));
  t.is(clock.pending, 1);
  for (const each of links) watch.remove(each);
  t.is(clock.pending, 0);
});

test('links that speak rarely, each at its own time, do not wake us one by one', async (t) => {
  const { clock, idle, link } = watchOf();
  const links = Array.from({ length: 1000 }, (_, n) => link(String(n)));
  let looks = 0;
  for (const [n, each] of links.entries()) {
    const saidAt = clock.now() + n * (TIMEOUT_MS / 1000);
    Object.defineProperty(each, 'quietSince', {
      get: () => {
        if (n === 0) looks += 1;
        // Each speaks once per timeout, just in time.
        return saidAt + TIMEOUT_MS * Math.max(0, Math.floor((clock.now() - saidAt) / TIMEOUT_MS));
      },
    });
  }
  for (let ms = 0; ms < 4 * TIMEOUT_MS; ms += 100) await clock.advance(100);
  t.deepEqual(idle, []);
  t.true(looks > 0 && looks <= 4 * 64, `${looks} looks in 4 timeouts`);
});
