import test from 'ava';
import { SessionIds } from '../../src/uplink/packet-ids.js';
import { MAX_UNACKNOWLEDGED, Window } from '../../src/uplink/window.js';
import { fc } from '../support/properties.js';

const STEPS = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('send' as const), count: fc.integer({ min: 1, max: 100 }) }),
    fc.record({ kind: fc.constant('ack' as const), pick: fc.nat() }),
    fc.record({ kind: fc.constant('ack-first' as const), count: fc.integer({ min: 1, max: 300 }) }),
    fc.record({ kind: fc.constant('lose' as const) }),
  ),
  { maxLength: 60 },
);

/** The window beside a plain list of what is open. */
class Pair {
  readonly window: Window<string>;
  open: { id: number; owner: string; index: number }[] = [];

  constructor(firstId: number) {
    this.window = new Window(firstId);
  }

  send(owner: string, wanted: number): void {
    const count = Math.min(wanted, this.window.room);
    const first = this.window.nextId;
    this.window.send(owner, 0, count);
    for (let index = 0; index < count; index++) {
      const id = first + index;
      this.open.push({ id: id > 65_535 ? id - 65_280 : id, owner, index });
    }
  }

  /** Acknowledges, twice each, what is at these places of the list; false where the window answers otherwise. */
  ack(from: number, count: number): boolean {
    const acked = this.open.splice(from % (this.open.length || 1), count);
    return acked.every(({ id, owner }) => this.window.ack(id) === owner && this.window.ack(id) === undefined);
  }

  lose(): void {
    this.window.clear();
    this.open = [];
  }

  agrees(): boolean {
    const seen: string[] = [];
    this.window.each((owner, index) => seen.push(`${owner}:${index}`));
    const expected = this.open.map(({ owner, index }) => `${owner}:${index}`);
    return seen.join() === expected.join() && this.window.unacknowledged === expected.length;
  }
}

test('the window agrees with a plain list, for any order of sends, acknowledgements and losses', (t) => {
  fc.assert(
    fc.property(STEPS, fc.integer({ min: 256, max: 65_535 }), (steps, firstId) => {
      const pair = new Pair(firstId);
      for (const [number, step] of steps.entries()) {
        if (step.kind === 'send') pair.send(`s${number}`, step.count);
        else if (step.kind === 'lose') pair.lose();
        else t.true(step.kind === 'ack' ? pair.ack(step.pick, 1) : pair.ack(0, step.count));
        t.true(pair.agrees());
        t.true(pair.open.length <= MAX_UNACKNOWLEDGED);
      }
    }),
  );
});

test('the broker may make the window smaller than ours, never larger', (t) => {
  const window = new Window<string>();
  window.limitTo(20);
  t.is(window.room, 20);
  window.send('a', 0, 15);
  window.limitTo(10);
  t.is(window.room, 0);
  window.limitTo(65_535);
  t.is(window.room, MAX_UNACKNOWLEDGED - 15);
});

test('what nobody waits for any more counts for the Receive Maximum of the broker, and for nothing else', (t) => {
  const window = new Window<string>();
  window.limitTo(20);
  const first = window.nextId;
  window.send('a', 0, 20);
  window.leave();
  t.is(window.unacknowledged, 0);
  t.is(window.room, 0);
  window.each(() => t.fail());
  t.is(window.ack(first), undefined);
  t.is(window.ack(first), undefined, 'once');
  t.is(window.room, 1);
  window.send('b', 0, 1);
  t.is(window.room, 0);
  t.is(window.ack(first + 20), 'b');
  window.limitTo(65_535);
  t.is(window.room, MAX_UNACKNOWLEDGED);
  window.clear();
  window.limitTo(20);
  t.is(window.room, 20);
});

test('a message that is never acknowledged stops the window at last, without growing it', (t) => {
  const window = new Window<string>();
  const stuck = window.nextId;
  window.send('stuck', 0, 1);
  let sent = 1;
  while (window.room > 0) {
    const id = window.nextId;
    window.send('next', sent, sent + 1);
    t.is(window.ack(id), 'next');
    sent++;
  }
  t.is(sent, 4 * MAX_UNACKNOWLEDGED);
  t.is(window.ack(stuck), 'stuck');
  t.is(window.room, MAX_UNACKNOWLEDGED);
});

test('ids of mqtt.js and ids that were never sent are unknown', (t) => {
  const window = new Window<string>(65_535);
  window.send('a', 0, 2);
  for (const id of [0, 1, 255, 257, 65_534]) t.is(window.ack(id), undefined, `${id}`);
});

test('mqtt.js gets each of its ids once, and none when all are taken', (t) => {
  const ids = new SessionIds();
  const given = Array.from({ length: 255 }, () => ids.allocate());
  t.deepEqual([...new Set(given)].length, 255);
  t.is(ids.allocate(), null);
  ids.deallocate(17);
  t.is(ids.allocate(), 17);
  t.is(ids.getLastAllocated(), 17);
  ids.clear();
  t.true(ids.register(255));
  t.false(ids.register(255));
});
