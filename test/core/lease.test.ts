import test from 'ava';
import { Lease } from '../../src/core/lease.js';
import { fc } from '../support/properties.js';

function leaseOf(close: () => Promise<void> = async () => {}) {
  const seen = { closes: 0 };
  const lease = new Lease('link', () => {
    seen.closes += 1;
    return close();
  });
  return { lease, seen };
}

test('the last holder out closes the resource, once', async (t) => {
  const { lease, seen } = leaseOf();
  t.true(lease.enter('receive'));
  t.true(lease.enter('send'));
  t.deepEqual(lease.holders, ['receive', 'send']);
  lease.leave('receive');
  lease.leave('receive');
  t.is(seen.closes, 0);
  lease.leave('send');
  await lease.closed;
  t.is(seen.closes, 1);
});

test('who was never in cannot close it by leaving', (t) => {
  const { lease, seen } = leaseOf();
  lease.leave('stranger');
  lease.enter('send');
  lease.leave('stranger');
  t.is(seen.closes, 0);
});

test('nobody enters a resource that is closing', async (t) => {
  const { lease, seen } = leaseOf();
  lease.enter('send');
  lease.leave('send');
  t.false(lease.enter('receive'));
  lease.leave('receive');
  await lease.closed;
  t.is(seen.closes, 1);
});

test('closed waits for the close to be over', async (t) => {
  let release = (): void => {};
  const { lease } = leaseOf(() => new Promise((resolve) => (release = resolve)));
  let isClosed = false;
  void lease.closed.then(() => {
    isClosed = true;
  });
  lease.enter('send');
  lease.leave('send');
  await new Promise((resolve) => setImmediate(resolve));
  t.false(isClosed);
  release();
  await lease.closed;
  t.true(isClosed);
});

test('a close that breaks its promise and throws harms neither the holder nor those who wait', async (t) => {
  for (const broken of [
    () => Promise.reject(new Error('bug')),
    () => {
      throw new Error('bug');
    },
  ]) {
    const { lease } = leaseOf(broken);
    lease.enter('send');
    t.notThrows(() => lease.leave('send'));
    await lease.closed;
  }
  t.pass();
});

test('force closes under those who still hold it, and their leaving does not close it again', async (t) => {
  const { lease, seen } = leaseOf();
  lease.enter('stuck');
  lease.force();
  lease.force();
  await lease.closed;
  t.deepEqual(lease.holders, ['stuck']);
  t.false(lease.enter('late'));
  lease.leave('stuck');
  t.is(seen.closes, 1);
});

/** Whether the resource has been let go of for good, after a move of `who`. */
function move(lease: Lease<string>, inside: Set<string>, isEntering: boolean, who: string): boolean {
  if (isEntering) {
    if (lease.enter(who)) inside.add(who);
    return false;
  }
  lease.leave(who);
  return inside.delete(who) && inside.size === 0;
}

test('under random entering and leaving it closes exactly once, with the last holder, and never before', (t) => {
  const holder = fc.constantFrom('receive', 'send', 'manager', 'tap');
  const moves = fc.array(fc.tuple(fc.boolean(), holder), { maxLength: 40 });
  fc.assert(
    fc.property(moves, (sequence) => {
      const { lease, seen } = leaseOf();
      const inside = new Set<string>();
      let isOver = false;
      for (const [isEntering, who] of sequence) {
        isOver = move(lease, inside, isEntering, who) || isOver;
        if (isOver && inside.size > 0) throw new Error(`${who} entered after the end`);
        if (seen.closes !== (isOver ? 1 : 0)) throw new Error(`closed ${seen.closes} times`);
        if (String(lease.holders) !== String([...inside])) throw new Error(`holders ${lease.holders}`);
      }
      return lease.enter('late') !== isOver;
    }),
    { numRuns: 500 },
  );
  t.pass();
});
