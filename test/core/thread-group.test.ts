import test from 'ava';
import type { FerruleError } from '../../src/core/errors.js';
import { MessageQueue } from '../../src/core/queue.js';
import type { Thread, ThreadBody } from '../../src/core/thread.js';
import { ThreadGroup, type ThreadGroupOptions } from '../../src/core/thread-group.js';
import { FakeClock } from '../support/fake-clock.js';

function groupOf(options: Partial<ThreadGroupOptions> & { clock?: FakeClock } = {}) {
  const { clock = new FakeClock() } = options;
  const group = new ThreadGroup({ id: 'scale', ...options, clock });
  return { clock, group };
}

function inboxOf(capacity = 10): MessageQueue<string> {
  return new MessageQueue<string>({ capacity, whenFull: 'reject' });
}

/** A thread that works off its inbox and notes what it does; the item `crash` makes it throw. */
function worker(label: string, notes: string[], inbox = inboxOf()) {
  const body: ThreadBody = async (thread) => {
    notes.push(`${label} began`);
    for (let taken = await inbox.take(thread.abortSignal); taken.ok; taken = await inbox.take(thread.abortSignal)) {
      if (taken.item === 'crash') throw new Error(`${label} crashed`);
      notes.push(`${label} did ${taken.item}`);
    }
    notes.push(`${label} ended`);
  };
  return { inbox, spec: { label, inboxes: [inbox], body } };
}

/** A thread that does not hear `finish`, only `abort`. */
function deaf(label: string, doing = '') {
  const body: ThreadBody = async (thread: Thread) => {
    if (doing !== '') thread.busy(doing);
    await new Promise<void>((resolve) => thread.abortSignal.addEventListener('abort', () => resolve()));
  };
  return { label, body };
}

test('threads start in the order in which they were added', async (t) => {
  const { group, clock } = groupOf();
  const notes: string[] = [];
  for (const label of ['manager', 'send', 'receive']) group.add(worker(label, notes).spec);
  await clock.settle();
  t.deepEqual(notes, []);
  group.start();
  group.start();
  await clock.settle();
  t.deepEqual(notes, ['manager began', 'send began', 'receive began']);
  group.cleanup();
});

test('threads finish in reverse, each only when the one after it has ended', async (t) => {
  const { group, clock } = groupOf();
  const notes: string[] = [];
  const send = worker('send', notes);
  group.add(send.spec);
  let release = (): void => {};
  group.add({
    label: 'receive',
    body: async ({ finishSignal }) => {
      await new Promise<void>((resolve) => finishSignal.addEventListener('abort', () => resolve()));
      notes.push('receive asked');
      await new Promise<void>((resolve) => (release = resolve));
      t.is(send.inbox.put('the last reading'), 'queued');
    },
  });
  group.start();
  await clock.settle();
  group.close('test');
  t.is(group.state.state, 'closing');
  await clock.settle();
  t.deepEqual(notes, ['send began', 'receive asked']);
  release();
  const report = await group.wait(1000);
  t.deepEqual(notes.slice(2), ['send did the last reading', 'send ended']);
  t.deepEqual(report, { group: 'scale', ended: true, stuck: [], left: [] });
  t.is(clock.pending, 0);
  group.cleanup();
  t.is(group.state.state, 'closed');
});

test('a thread can be added to a running group, and taken out again without the others noticing', async (t) => {
  const { group, clock } = groupOf();
  const notes: string[] = [];
  group.add(worker('send', notes).spec);
  group.start();
  await clock.settle();
  t.truthy(group.add(worker('tap', notes).spec));
  await clock.settle();
  t.deepEqual(notes, ['send began', 'tap began']);
  await group.remove('tap');
  t.is(group.thread('tap'), undefined);
  t.is(group.thread('send')?.state, 'running');
  await group.remove('tap');
  group.cleanup();
});

test('a label is given once: a second thread of the same name is refused until the first is taken out', async (t) => {
  const { group, clock } = groupOf();
  const notes: string[] = [];
  group.add(worker('tap', notes).spec);
  t.is(group.add(worker('tap', notes).spec), undefined);
  group.start();
  await clock.settle();
  await group.remove('tap');
  t.truthy(group.add(worker('tap', notes).spec));
  group.cleanup();
});

test('a thread that is being taken out cannot be restarted into its place', async (t) => {
  const { group, clock } = groupOf();
  const notes: string[] = [];
  group.add(worker('tap', notes).spec);
  group.start();
  await clock.settle();
  const thread = group.thread('tap');
  void thread?.done.then(() => group.restart('tap'));
  await group.remove('tap');
  await clock.settle();
  t.deepEqual(notes, ['tap began', 'tap ended']);
  group.cleanup();
});

test('a crash is told, leaves the others running, and a restart finds the inbox as it was', async (t) => {
  const crashes: string[] = [];
  const { group, clock } = groupOf({
    onCrash: (thread, error) => crashes.push(`${thread.label}: ${(error as Error).message}`),
  });
  const notes: string[] = [];
  const send = worker('send', notes);
  group.add(send.spec);
  group.add(worker('receive', notes).spec);
  group.start();
  await clock.settle();
  for (const item of ['a', 'crash', 'b', 'c']) send.inbox.put(item);
  await clock.settle();
  t.deepEqual(crashes, ['send: send crashed']);
  t.is(group.thread('send')?.state, 'ended');
  t.is(group.thread('receive')?.state, 'running');
  t.is(send.inbox.length, 2);
  group.restart('send');
  await clock.settle();
  t.deepEqual(notes, ['send began', 'receive began', 'send did a', 'send began', 'send did b', 'send did c']);
  group.restart('send');
  group.restart('nobody');
  await clock.settle();
  t.is(notes.filter((note) => note === 'send began').length, 2);
  group.cleanup();
});

test('nothing is restarted, added or adopted once the group closes', async (t) => {
  const { group, clock } = groupOf();
  const notes: string[] = [];
  const send = worker('send', notes);
  group.add(send.spec);
  group.start();
  send.inbox.put('crash');
  await clock.settle();
  group.close('test');
  group.restart('send');
  t.is(group.add(worker('tap', notes).spec), undefined);
  t.false(group.adopt(groupOf({ id: 'child' }).group));
  group.start();
  await clock.settle();
  t.deepEqual(notes, ['send began']);
  group.cleanup();
});

test('a thread that waits for room in the inbox of one that has crashed is freed when the group closes', async (t) => {
  const { group, clock } = groupOf();
  const up = inboxOf(1);
  group.add({ label: 'send', inboxes: [up], body: () => Promise.reject(new Error('bug')) });
  group.add({
    label: 'receive',
    body: async () => {
      while (up.put('reading') === 'rejected') await up.room();
      while (up.put('reading') === 'rejected') await up.room();
    },
  });
  group.start();
  await clock.settle();
  t.is(group.thread('receive')?.state, 'running');
  group.close('test');
  const report = await group.wait(1000);
  t.true(report.ended);
  t.deepEqual(report.left, [{ group: 'scale', thread: 'send', items: 1 }]);
  group.cleanup();
});

test('a thread that crashes while the group closes frees those who wait for room in its inbox', async (t) => {
  const { group, clock } = groupOf();
  const up = inboxOf(1);
  const stop = new AbortController();
  group.add({
    label: 'send',
    inboxes: [up],
    body: async () => {
      await new Promise<void>((resolve) => stop.signal.addEventListener('abort', () => resolve()));
      throw new Error('bug');
    },
  });
  group.add({
    label: 'receive',
    body: async () => {
      for (let i = 0; i < 3; i += 1) while (up.put('reading') === 'rejected') await up.room();
    },
  });
  group.start();
  await clock.settle();
  group.close('test');
  await clock.settle();
  stop.abort();
  t.true((await group.wait(1000)).ended);
  group.cleanup();
});

test('close before start ends threads that never ran', async (t) => {
  const { group } = groupOf();
  const notes: string[] = [];
  group.add(worker('send', notes).spec);
  group.close('never needed');
  t.true((await group.wait(1000)).ended);
  group.cleanup();
  t.deepEqual(notes, []);
});

test('closing a parent closes the children first, to the last thread', async (t) => {
  const { group, clock } = groupOf({ id: 'listener' });
  const notes: string[] = [];
  group.add(worker('accept', notes).spec);
  for (const id of ['peer-1', 'peer-2']) {
    const child = new ThreadGroup({ id: `listener/${id}`, clock });
    child.add(worker(id, notes).spec);
    const grandchild = new ThreadGroup({ id: `listener/${id}/bus`, clock });
    grandchild.add(worker(`${id} bus`, notes).spec);
    t.true(child.adopt(grandchild));
    t.true(group.adopt(child));
    t.false(group.adopt(child));
    child.start();
    grandchild.start();
  }
  group.start();
  await clock.settle();
  notes.length = 0;
  group.close('test');
  t.true((await group.wait(1000)).ended);
  t.deepEqual(notes, ['peer-1 bus ended', 'peer-2 bus ended', 'peer-1 ended', 'peer-2 ended', 'accept ended']);
  group.cleanup();
  t.is(group.childCount, 0);
});

test('a child that closes by itself is forgotten by its parent at cleanup, and may be adopted anew', async (t) => {
  const { group, clock } = groupOf();
  const closed: string[] = [];
  const child = new ThreadGroup({ id: 'peer', clock, onClosed: () => closed.push('peer') });
  group.adopt(child);
  child.start();
  child.close('peer has gone');
  await child.wait(10);
  t.is(group.childCount, 1);
  child.cleanup();
  child.cleanup();
  t.is(group.childCount, 0);
  t.deepEqual(closed, ['peer']);
  t.true(group.adopt(new ThreadGroup({ id: 'peer', clock })));
  group.cleanup();
});

test('a child that is closing already is not adopted', (t) => {
  const { group, clock } = groupOf();
  const child = new ThreadGroup({ id: 'peer', clock });
  child.close('too late');
  t.false(group.adopt(child));
  child.cleanup();
  t.false(group.adopt(child));
  t.is(group.childCount, 0);
});

test('a child that is closing while its parent closes is waited for', async (t) => {
  const { group, clock } = groupOf({ id: 'listener' });
  const child = new ThreadGroup({ id: 'peer', clock });
  let release = (): void => {};
  child.add({ label: 'receive', body: () => new Promise((resolve) => (release = resolve)) });
  group.adopt(child);
  child.start();
  group.start();
  await clock.settle();
  child.close('peer has gone');
  group.close('test');
  const waiting = group.wait(1000);
  await clock.advance(500);
  release();
  t.true((await waiting).ended);
  t.is(child.state.reason, 'peer has gone');
  group.cleanup();
  t.is(child.state.state, 'closed');
});

test('wait tells on overrun who is stuck with what, children included, and what is left', async (t) => {
  const { group, clock } = groupOf();
  const child = new ThreadGroup({ id: 'scale/peer', clock });
  const inbox = inboxOf();
  child.add({ ...deaf('receive', 'decoding a frame of 3 MiB'), inboxes: [inbox] });
  group.adopt(child);
  group.add(deaf('send'));
  child.start();
  group.start();
  await clock.settle();
  inbox.put('a');
  inbox.put('b');
  group.close('test');
  const waiting = group.wait(2000);
  await clock.advance(2000);
  const report = await waiting;
  t.false(report.ended);
  t.deepEqual(report.stuck, [
    { group: 'scale/peer', thread: 'receive', doing: 'decoding a frame of 3 MiB', busyMs: 2000 },
    { group: 'scale', thread: 'send', doing: 'its turn to finish has not come', busyMs: 0 },
  ]);
  t.deepEqual(report.left, [{ group: 'scale/peer', thread: 'receive', items: 2 }]);
  group.cleanup();
  await clock.settle();
  t.true((await group.wait(0)).ended);
});

test('wait without a close waits for the children too', async (t) => {
  const { group, clock } = groupOf();
  const child = new ThreadGroup({ id: 'scale/peer', clock });
  child.add(deaf('receive'));
  group.adopt(child);
  child.start();
  const waiting = group.wait(100);
  await clock.advance(100);
  const report = await waiting;
  t.false(report.ended);
  t.deepEqual(
    report.stuck.map(({ thread, doing }) => `${thread}: ${doing}`),
    ['receive: waiting for its inbox'],
  );
  group.cleanup();
});

test('wait twice at once answers both, and leaves no timer', async (t) => {
  const { group, clock } = groupOf();
  group.add(worker('send', []).spec);
  group.start();
  group.close('test');
  const reports = await Promise.all([group.wait(1000), group.wait(5000)]);
  t.true(reports.every(({ ended }) => ended));
  t.is(clock.pending, 0);
  group.cleanup();
});

test('cleanup without close aborts the threads in reverse and releases in reverse, once', async (t) => {
  const { group, clock } = groupOf();
  const notes: string[] = [];
  for (const label of ['first', 'second']) {
    group.add({
      label,
      body: async ({ abortSignal }) => {
        await new Promise<void>((resolve) => abortSignal.addEventListener('abort', () => resolve()));
        notes.push(`${label} aborted`);
      },
    });
    group.onCleanup(() => notes.push(`${label} released`));
  }
  group.start();
  await clock.settle();
  group.cleanup();
  group.cleanup();
  group.close('too late');
  t.deepEqual(notes, ['second released', 'first released']);
  await clock.settle();
  t.deepEqual(notes.slice(2), ['second aborted', 'first aborted']);
  t.is(group.state.state, 'closed');
});

test('cleanup is legal from every state of a group', (t) => {
  const ways = [
    [],
    ['connecting'],
    ['connecting', 'online'],
    ['connecting', 'online', 'silent'],
    ['connecting', 'backing-off'],
    ['connecting', 'parked'],
  ] as const;
  for (const way of ways) {
    const { group } = groupOf();
    for (const state of way) group.state.go(state, 'test');
    group.cleanup();
    t.is(group.state.state, 'closed');
  }
});

test('what is registered for release after the cleanup is released at once', (t) => {
  const { group } = groupOf();
  const notes: string[] = [];
  group.onCleanup(() => group.onCleanup(() => notes.push('registered during the cleanup')));
  group.cleanup();
  group.onCleanup(() => notes.push('registered after it'));
  t.deepEqual(notes, ['registered during the cleanup', 'registered after it']);
});

test('a release that throws keeps nothing else from being released, and is told at the end', (t) => {
  const closed: string[] = [];
  const { group, clock } = groupOf({ onClosed: () => closed.push('scale') });
  const child = new ThreadGroup({ id: 'peer', clock });
  child.onCleanup(() => {
    throw new Error('bug in the child');
  });
  group.adopt(child);
  const notes: string[] = [];
  group.onCleanup(() => notes.push('link released'));
  group.onCleanup(() => {
    throw new Error('bug');
  });
  const error = t.throws(() => group.cleanup()) as FerruleError;
  t.is(error.code, 'cleanup-failed');
  t.regex(error.message, /group scale: .*bug in the child.*bug/);
  t.deepEqual(notes, ['link released']);
  t.is(group.state.state, 'closed');
  t.is(child.state.state, 'closed');
  t.deepEqual(closed, ['scale']);
  t.notThrows(() => group.cleanup());
});

test('a close from within the report of the transition does nothing more', async (t) => {
  const { group } = groupOf({ onTransition: ({ to }) => (to === 'closing' ? group.close('again') : undefined) });
  group.add(worker('send', []).spec);
  group.start();
  t.notThrows(() => group.close('once'));
  t.is(group.state.reason, 'once');
  t.true((await group.wait(10)).ended);
  group.cleanup();
});

test('an observer that throws does not keep the threads from being asked to finish', async (t) => {
  const { group } = groupOf({
    onTransition: ({ to }) => {
      if (to === 'closing') throw new Error('bug in a watcher');
    },
  });
  group.add(worker('send', []).spec);
  group.start();
  t.throws(() => group.close('test'), { message: 'bug in a watcher' });
  t.true((await group.wait(1000)).ended);
  group.cleanup();
});

test('the view is a tree of states, threads and counters', async (t) => {
  const { group, clock } = groupOf({ figures: () => ({ readings: 7 }) });
  const child = new ThreadGroup({ id: 'scale/peer', clock });
  group.adopt(child);
  group.add(worker('send', []).spec);
  group.start();
  group.state.go('connecting', 'start');
  const view = group.view();
  t.like(view, { id: 'scale', state: 'connecting', reason: 'start', counters: { readings: 7 } });
  t.deepEqual(
    view.threads.map(({ label, state }) => `${label} ${state}`),
    ['send running'],
  );
  t.deepEqual(
    view.children.map(({ id }) => id),
    ['scale/peer'],
  );
  group.cleanup();
  t.is(view.history.length, 1);
});

test('overdue names the threads that have been busy for too long, children included, and nobody who waits or has ended', async (t) => {
  const { group, clock } = groupOf();
  const child = new ThreadGroup({ id: 'scale/peer', clock });
  group.adopt(child);
  group.add(worker('receive', []).spec);
  child.add(deaf('send', 'writing command 7'));
  child.add({
    label: 'manager',
    async body(thread) {
      thread.busy('opening');
    },
  });
  group.start();
  child.start();
  await clock.advance(1000);
  t.deepEqual(group.overdue(1000), []);
  await clock.advance(1);
  t.deepEqual(group.overdue(1000), [{ group: 'scale/peer', thread: 'send', doing: 'writing command 7', busyMs: 1001 }]);
  group.cleanup();
  await clock.settle();
});
