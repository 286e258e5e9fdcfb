import test from 'ava';
import { MessageQueue } from '../../src/core/queue.js';
import type { Thread } from '../../src/core/thread.js';
import { ThreadGroup } from '../../src/core/thread-group.js';
import { type RegistryEvent, ThreadRegistry } from '../../src/core/thread-registry.js';
import { FakeClock } from '../support/fake-clock.js';

const DEVICE = 10;
const UPLINK = 0;

type Ending = 'prompt' | 'stuck' | number;

/** A registry, and a way to put groups into it whose only thread ends promptly, after so many ms, or never by itself. */
function registryOf() {
  const clock = new FakeClock();
  const registry = new ThreadRegistry<string>(clock);
  const ends: string[] = [];
  const makeGroup = (id: string, ending: Ending = 'prompt'): ThreadGroup => {
    const group = new ThreadGroup({
      id,
      clock,
      onTransition: (transition) => registry.emit({ kind: 'transition', group: id, transition }),
      onClosed: () => registry.remove(group),
    });
    group.add({
      label: 'send',
      body: async (thread) => {
        await untilStopped(thread, ending);
        ends.push(`${id} at ${clock.now()}`);
      },
    });
    return group;
  };
  const untilStopped = async (thread: Thread, ending: Ending): Promise<void> => {
    const signal = ending === 'stuck' ? thread.abortSignal : thread.finishSignal;
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
    if (typeof ending === 'number') await new Promise<void>((resolve) => void clock.after(ending, resolve));
  };
  const add = (id: string, rank = DEVICE, ending: Ending = 'prompt'): ThreadGroup => {
    const group = makeGroup(id, ending);
    if (!registry.add(group, () => 'queued', rank)) throw new Error(`${id} was refused`);
    group.start();
    return group;
  };
  return { clock, registry, ends, makeGroup, add };
}

test('a message goes to the group of its id, and each outcome has a word', (t) => {
  const { registry, makeGroup } = registryOf();
  const inbox = new MessageQueue<string>({ capacity: 1, whenFull: 'reject' });
  const words = { queued: 'queued', rejected: 'full', closed: 'closed' } as const;
  registry.add(makeGroup('scale'), (message) => words[inbox.put(message) as keyof typeof words], DEVICE);
  t.is(registry.route('scale', 'tare'), 'queued');
  t.is(registry.route('scale', 'tare'), 'full');
  inbox.close();
  t.is(registry.route('scale', 'tare'), 'closed');
  t.is(registry.route('scales', 'tare'), 'no-such-group');
  t.deepEqual(inbox.drain(), ['tare']);
});

test('an id is given once, until its group is removed', (t) => {
  const { registry, makeGroup } = registryOf();
  const [first, second] = [makeGroup('scale'), makeGroup('scale')];
  t.true(registry.add(first, () => 'queued', DEVICE));
  t.false(registry.add(second, () => 'queued', DEVICE));
  registry.remove(second);
  t.is(registry.get('scale'), first);
  registry.remove(first);
  t.is(registry.get('scale'), undefined);
  t.is(registry.route('scale', 'tare'), 'no-such-group');
  t.true(registry.add(second, () => 'queued', DEVICE));
  t.deepEqual(registry.ids(), ['scale']);
  t.is(registry.size, 1);
});

test('queues are allocated with their bound', (t) => {
  const { registry } = registryOf();
  const queue = registry.allocate<number>({ capacity: 1, whenFull: 'drop-oldest' });
  queue.put(1);
  t.is(queue.put(2), 'dropped-oldest');
});

test('the snapshot is a tree: a child that is registered too appears under its parent only', (t) => {
  const { registry, add, makeGroup } = registryOf();
  const listener = add('sensors');
  const child = add('sensors/10.0.0.5-4001');
  const grandchild = add('sensors/10.0.0.5-4001/bus');
  listener.adopt(child);
  child.adopt(grandchild);
  add('scale');
  // Not registered, and of the same name as a device: hides nobody.
  listener.adopt(makeGroup('scale'));
  const tree = registry.snapshot().map(({ id, children }) => [id, children.map((view) => view.id)]);
  t.deepEqual(tree, [
    ['sensors', ['sensors/10.0.0.5-4001', 'scale']],
    ['scale', []],
  ]);
  t.is(registry.snapshot()[0]?.children[0]?.children[0]?.id, 'sensors/10.0.0.5-4001/bus');
  listener.cleanup();
  t.deepEqual(
    registry.snapshot().map(({ id }) => id),
    ['scale'],
  );
});

test('a watcher hears of groups, transitions and crashes until it stops watching', (t) => {
  const { registry, add } = registryOf();
  const heard: string[] = [];
  const note = (event: RegistryEvent): number => heard.push(`${event.kind} ${event.group}`);
  const unwatch = registry.watch(note);
  const unwatchSecond = registry.watch(note);
  unwatchSecond();
  unwatchSecond();
  const scale = add('scale');
  scale.state.go('connecting', 'start');
  registry.emit({ kind: 'crash', group: 'scale', thread: 'send', error: new Error('bug') });
  scale.cleanup();
  t.deepEqual(heard, [
    'added scale',
    'transition scale',
    'crash scale',
    'transition scale',
    'transition scale',
    'removed scale',
  ]);
  unwatch();
  add('other');
  t.is(heard.length, 6);
});

test('shutdown closes rank by rank, equal ranks together, and answers a clean report', async (t) => {
  const { registry, clock, ends, add } = registryOf();
  add('uplink', UPLINK);
  add('scale', DEVICE, 300);
  add('cell', DEVICE, 500);
  const report = registry.shutdown(8000, 'SIGTERM');
  t.true(registry.isShuttingDown);
  await clock.advance(8000);
  t.deepEqual(await report, { clean: true, stuck: [], left: [], tookMs: 500 });
  t.deepEqual(ends, ['scale at 300', 'cell at 500', 'uplink at 500']);
  t.is(registry.size, 0);
  t.is(clock.pending, 0);
});

test('a stuck device is named, and leaves the uplink its share of the deadline', async (t) => {
  const { registry, clock, ends, add } = registryOf();
  add('uplink', UPLINK, 1500);
  add('scale', DEVICE, 'stuck');
  const report = registry.shutdown(8000, 'SIGTERM');
  await clock.advance(8000);
  const { clean, stuck, tookMs } = await report;
  t.false(clean);
  t.deepEqual(
    stuck.map(({ group, thread }) => `${group} ${thread}`),
    ['scale send'],
  );
  t.is(tookMs, 7900);
  t.deepEqual(ends, ['scale at 6400', 'uplink at 7900']);
});

test('a device that ended is cleaned up at once, without waiting for a stuck one of its rank', async (t) => {
  const { registry, clock, add } = registryOf();
  add('stuck', DEVICE, 'stuck');
  let releasedAt = -1;
  add('scale').onCleanup(() => {
    releasedAt = clock.now();
  });
  const report = registry.shutdown(8000, 'SIGTERM');
  await clock.advance(8000);
  await report;
  t.is(releasedAt, 0);
});

test('all ranks together never overrun the deadline, however many there are', async (t) => {
  const { registry, clock, add } = registryOf();
  for (let rank = 0; rank < 9; rank += 1) add(`group-${rank}`, rank, 'stuck');
  const report = registry.shutdown(9000, 'SIGTERM');
  await clock.advance(9000);
  const { stuck, tookMs } = await report;
  t.is(stuck.length, 9);
  t.is(tookMs, 9000);
});

test('every rank gets a share of the deadline, however many there are', async (t) => {
  const { registry, clock, add } = registryOf();
  for (let rank = 0; rank < 9; rank += 1) add(`group-${rank}`, rank, 900);
  const report = registry.shutdown(9000, 'SIGTERM');
  await clock.advance(9000);
  t.true((await report).clean);
});

test('a second shutdown gets the same report, also one that is asked for by a watcher of the first', async (t) => {
  const { registry, clock, add, makeGroup } = registryOf();
  const again: unknown[] = [];
  registry.watch((event) => {
    if (event.kind !== 'transition') return;
    again.push(registry.shutdown(1, 'again'));
    t.false(registry.add(makeGroup('late'), () => 'queued', DEVICE));
  });
  const scale = add('scale', DEVICE, 100);
  const first = registry.shutdown(8000, 'SIGTERM');
  const second = registry.shutdown(5, 'SIGINT');
  t.is(first, second);
  await clock.advance(8000);
  t.true((await first).clean);
  t.true(again.length > 0 && again.every((report) => report === first));
  t.is(scale.state.reason, 'SIGTERM');
});

test('groups that close by themselves, or have closed children, do not disturb a shutdown', async (t) => {
  const { registry, clock, add } = registryOf();
  const listener = add('sensors', DEVICE, 50);
  const peer = add('sensors/peer', DEVICE, 100);
  listener.adopt(peer);
  const scale = add('scale', DEVICE, 200);
  scale.close('removed from the config');
  await clock.advance(100);
  peer.close('peer has gone');
  const report = registry.shutdown(8000, 'SIGTERM');
  await clock.advance(50);
  scale.cleanup();
  peer.cleanup();
  await clock.advance(8000);
  t.true((await report).clean);
  t.is(registry.size, 0);
});

test('a group whose cleanup throws is told as a crash and does not keep the others from closing', async (t) => {
  const { registry, clock, add } = registryOf();
  const uplink = add('uplink', UPLINK);
  add('scale').onCleanup(() => {
    throw new Error('bug');
  });
  const crashes: string[] = [];
  registry.watch((event) => {
    if (event.kind === 'crash') crashes.push(`${event.group} ${event.thread}: ${(event.error as Error).message}`);
  });
  const report = registry.shutdown(8000, 'SIGTERM');
  await clock.advance(8000);
  t.true((await report).clean);
  t.deepEqual(crashes, ['scale cleanup: group scale: not released cleanly: bug']);
  t.is(uplink.state.state, 'closed');
});

test('a shutdown of nothing is clean', async (t) => {
  const { registry } = registryOf();
  t.deepEqual(await registry.shutdown(8000, 'SIGTERM'), { clean: true, stuck: [], left: [], tookMs: 0 });
});
