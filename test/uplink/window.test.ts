import test from 'ava';
import fc from 'fast-check';
import { SessionIds } from '../../src/uplink/packet-ids.js';
import { MAX_UNACKNOWLEDGED, Window } from '../../src/uplink/window.js';

const STEPS = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('send' as const), count: fc.integer({ min: 1, max: 100 }) }),
    fc.record({ kind: fc.constant('ack' as const), pick: fc.nat() }),
    fc.record({ kind: fc.constant('ack-first' as const), count: fc.integer({ min: 1, max: 300 }) }),
    fc.record({ kind: fc.constant('lose' as const) }),
  ),
  { maxLength: 60 },
);

function openIn(window: Window<string>): string[] {
  const open: string[] = [];
  window.each((owner, index) => open.push(`${owner}:${index}`));
  return open;
}

test('the window agrees with a plain list, for any order of sends, acknowledgements and losses', (t) => {
  fc.assert(
    fc.property(STEPS, fc.integer({ min: 256, max: 65_535 }), (steps, firstId) => {
      const window = new Window<string>(firstId);
      let open: { id: number; name: string }[] = [];
      for (const [number, step] of steps.entries()) {
        if (step.kind === 'send') {
          const count = Math.min(step.count, window.room);
          let id = window.nextId;
          window.send(`s${number}`, 0, count);
          for (let index = 0; index < count; index++) {
            open.push({ id, name: `s${number}:${index}` });
            id = id === 65_535 ? 256 : id + 1;
          }
        } else if (step.kind === 'lose') {
          window.clear();
          open = [];
        } else {
          const acked = step.kind === 'ack' ? open.splice(step.pick % (open.length || 1), 1) : open.splice(0, step.count);
          for (const { id, name } of acked) {
            t.is(window.ack(id), name.split(':')[0]);
            t.is(window.ack(id), undefined);
          }
        }
        t.deepEqual(openIn(window), open.map(({ name }) => name));
        t.is(window.unacknowledged, open.length);
        t.true(open.length <= MAX_UNACKNOWLEDGED);
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
  t.is(window.room, 256 - 15);
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
