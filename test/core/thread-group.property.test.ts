// Random lives of a group: whatever is done to it in whatever order, no transition is illegal, every thread ends, every
// wait is answered, every release runs once and in reverse.

import test from 'ava';
import { GROUP_TRANSITIONS } from '../../src/core/lifecycle.js';
import { MessageQueue } from '../../src/core/queue.js';
import type { Thread, ThreadBody } from '../../src/core/thread.js';
import { type CloseReport, ThreadGroup } from '../../src/core/thread-group.js';
import { FakeClock } from '../support/fake-clock.js';
import { fc } from '../support/properties.js';

type Temper = 'worker' | 'deaf' | 'slow';

type Step =
  | { readonly op: 'add'; readonly on: number; readonly temper: Temper }
  | { readonly op: 'crash' | 'restart' | 'remove'; readonly on: number; readonly which: number }
  | { readonly op: 'start' | 'close' | 'cleanup' | 'adopt' | 'release'; readonly on: number }
  | { readonly op: 'wait' | 'advance'; readonly on: number; readonly ms: number };

const on = fc.nat(3);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      op: fc.constant('add' as const),
      on,
      temper: fc.constantFrom<Temper>('worker', 'deaf', 'slow'),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      op: fc.constantFrom('crash' as const, 'restart' as const, 'remove' as const),
      on,
      which: fc.nat(5),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      op: fc.constantFrom(
        'start' as const,
        'start' as const,
        'close' as const,
        'cleanup' as const,
        'adopt' as const,
        'release' as const,
      ),
      on,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ op: fc.constantFrom('wait' as const, 'advance' as const), on, ms: fc.nat(300) }),
  },
);

function check(isTrue: boolean, what: string): void {
  if (!isTrue) throw new Error(what);
}

class FakeGroup {
  readonly group: ThreadGroup;
  readonly inboxes: MessageQueue<string>[] = [];
  readonly labels: string[] = [];
  readonly expectedReleases: number[] = [];
  readonly releases: number[] = [];
  readonly bodies: Thread[] = [];
  closedTimes = 0;
  readonly #clock: FakeClock;

  constructor(id: string, clock: FakeClock) {
    this.#clock = clock;
    this.group = new ThreadGroup({
      id,
      clock,
      onTransition: ({ from, to }) => check(GROUP_TRANSITIONS[from].includes(to), `${id}: ${from} -> ${to}`),
      onClosed: () => {
        this.closedTimes += 1;
      },
    });
  }

  get mustRefuse(): boolean {
    return this.group.isClosing;
  }

  add(temper: Temper): void {
    const inbox = new MessageQueue<string>({ capacity: 2, whenFull: 'reject' });
    const label = `${temper}-${this.labels.length}`;
    const thread = this.group.add({ label, inboxes: [inbox], body: this.#body(temper, inbox) });
    check((thread === undefined) === this.mustRefuse, 'add');
    if (thread === undefined) return;
    this.labels.push(label);
    this.inboxes.push(inbox);
  }

  register(id: number): void {
    this.expectedReleases.push(id);
    this.group.onCleanup(() => this.releases.push(id));
  }

  #body(temper: Temper, inbox: MessageQueue<string>): ThreadBody {
    return async (thread) => {
      this.bodies.push(thread);
      if (temper === 'deaf') await new Promise<void>((resolve) => onAbort(thread, resolve));
      for (let taken = await inbox.take(thread.abortSignal); taken.ok; taken = await inbox.take(thread.abortSignal)) {
        if (taken.item === 'crash') throw new Error('crash');
      }
      if (temper === 'slow') await new Promise<void>((resolve) => void this.#clock.after(100, resolve));
    };
  }
}

function onAbort(thread: Thread, done: () => void): void {
  if (thread.abortSignal.aborted) done();
  else thread.abortSignal.addEventListener('abort', done, { once: true });
}

/** A parent and its children-to-be; `on` of a step chooses one of them. */
class Life {
  readonly clock = new FakeClock();
  readonly fakes: FakeGroup[] = [new FakeGroup('root', this.clock)];
  readonly #waits: Promise<CloseReport | undefined>[] = [];
  #nextRelease = 0;

  async apply(next: Step): Promise<void> {
    const fake = this.fakes[next.on % this.fakes.length] as FakeGroup;
    const { group } = fake;
    switch (next.op) {
      case 'add':
        return fake.add(next.temper);
      case 'crash':
        fake.inboxes[next.which]?.put('crash');
        return;
      case 'restart':
        return group.restart(fake.labels[next.which] ?? 'nobody');
      case 'remove':
        this.#waits.push(group.remove(fake.labels[next.which] ?? 'nobody').then(() => undefined));
        return;
      case 'wait':
        this.#waits.push(group.wait(next.ms));
        return;
      case 'advance':
        return this.clock.advance(next.ms);
      case 'adopt':
        return this.#adopt(fake);
      case 'release':
        return fake.register(this.#nextRelease++);
      default:
        return this.#end(fake, next.op);
    }
  }

  #adopt(parent: FakeGroup): void {
    const child = new FakeGroup(`${parent.group.id}/${this.fakes.length}`, this.clock);
    check(parent.group.adopt(child.group) === !parent.mustRefuse, 'adopt');
    this.fakes.push(child); // a refused child lives on by itself
  }

  #end(fake: FakeGroup, op: 'start' | 'close' | 'cleanup'): void {
    if (op === 'start') fake.group.start();
    else if (op === 'close') fake.group.close('test');
    else {
      fake.group.cleanup();
      check(fake.group.state.state === 'closed', 'cleaned up, so closed');
    }
  }

  async finish(): Promise<void> {
    for (const { group } of this.fakes) group.close('the end');
    const waits = this.fakes.map(({ group }) => group.wait(1000));
    await this.clock.advance(1000);
    for (const report of await Promise.all(waits)) check(report.ended === (report.stuck.length === 0), 'report');
    for (const { group } of this.fakes) group.cleanup();
    await this.clock.advance(1000);
    await Promise.all(this.#waits);
    for (const fake of this.fakes) this.#inspect(fake);
    check(this.clock.pending === 0, 'a timer was left behind');
  }

  #inspect(fake: FakeGroup): void {
    const { group } = fake;
    check(group.state.state === 'closed', `${group.id} is ${group.state.state}`);
    check(fake.closedTimes === 1, `${group.id} told ${fake.closedTimes} times that it closed`);
    check(group.childCount === 0, `${group.id} keeps children`);
    for (const thread of fake.bodies) check(thread.state === 'ended', `${group.id} ${thread.label} is ${thread.state}`);
    for (const inbox of fake.inboxes) check(inbox.closed, `${group.id} left an inbox open`);
    const early = fake.expectedReleases.filter((id) => fake.releases.includes(id));
    check(early.length === fake.expectedReleases.length, 'a release was forgotten');
    check(fake.releases.length === new Set(fake.releases).size, 'a release ran twice');
  }
}

test('whatever is done to a group in whatever order: no illegal transition, every thread ends, every wait is answered', async (t) => {
  await t.notThrowsAsync(
    fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const life = new Life();
        for (const next of steps) await life.apply(next);
        await life.finish();
      }),
      { numRuns: 400 },
    ),
  );
});

test('releases run once, in reverse of their registration, whatever came before the cleanup', async (t) => {
  const before = fc.constantFrom('nothing', 'start', 'close', 'wait');
  await t.notThrowsAsync(
    fc.assert(
      fc.asyncProperty(fc.nat(8), before, async (count, what) => {
        const clock = new FakeClock();
        const group = new ThreadGroup({ id: 'scale', clock });
        const seen: number[] = [];
        for (let id = 0; id < count; id += 1) group.onCleanup(() => seen.push(id));
        if (what !== 'nothing') group.start();
        if (what === 'close' || what === 'wait') group.close('test');
        if (what === 'wait') await group.wait(10);
        group.cleanup();
        group.cleanup();
        check(String(seen) === String(Array.from({ length: count }, (_, i) => count - 1 - i)), `released ${seen}`);
      }),
      { numRuns: 60 },
    ),
  );
});
