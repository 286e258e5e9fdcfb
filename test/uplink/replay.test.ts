// What the spool has kept, on its way back: pace, order, and what is told to the spool.

import test from 'ava';
import type { SpoolBlock } from '../../src/spool/record.js';
import type { ReplayOrder } from '../../src/uplink/lanes.js';
import { Outbox } from '../../src/uplink/outbox.js';
import { Outgoing } from '../../src/uplink/outgoing.js';
import { Replay } from '../../src/uplink/replay.js';
import { makeTopics } from '../../src/uplink/topics.js';
import { FakeClock } from '../support/fake-clock.js';
import { FakeWriter } from '../support/fake-writer.js';
import { payloadText } from '../support/mqtt-parse.js';
import { textBatch } from '../support/text-batch.js';

/** A spool of blocks, each with one record per list of texts. */
class Kept {
  readonly #blocks: SpoolBlock[] = [];
  readonly told: string[] = [];
  retain = false;
  #nextSeq = 1;

  add(...records: readonly (readonly string[])[]): void {
    const seq = this.#nextSeq;
    for (const texts of records) this.#nextSeq += texts.length;
    this.#blocks.push({
      seq,
      records: records.map((texts) => ({
        what: 'readings',
        device: 'scale',
        qos: 1,
        retain: false,
        at: 1_700_000_000_000,
        batch: textBatch(texts),
      })),
    });
  }

  get hasMore(): boolean {
    return this.#blocks.length > 0;
  }

  next(): Promise<SpoolBlock | undefined> {
    const block = this.#blocks.shift();
    return Promise.resolve(
      block && { ...block, records: block.records.map((record) => ({ ...record, retain: this.retain })) },
    );
  }

  done(seq: number): void {
    this.told.push(`done ${seq}`);
  }

  trim(seq: number, messages: number): void {
    this.told.push(`trim ${seq} ${messages}`);
  }
}

function makeRig(order: ReplayOrder, rate = 1000) {
  const clock = new FakeClock();
  const spool = new Kept();
  const outbox = new Outbox();
  outbox.order = order;
  const writer = new FakeWriter();
  const pump = (): void => {
    replay.pump();
    outbox.pump(writer);
  };
  const outgoing = new Outgoing(makeTopics('base'));
  const replay = new Replay({ clock, spool, outbox, outgoing, rate, onFed: pump });
  const texts = (): string[] => writer.written.map(payloadText);
  const ack = (...wanted: string[]): void => {
    for (const text of wanted) outbox.ack(writer.written.findLast((p) => payloadText(p) === text)?.messageId ?? 0);
  };
  const start = (): void => replay.start(order);
  return { clock, spool, outbox, writer, replay, texts, ack, pump, start };
}

const numbers = (count: number, from = 0): string[] => Array.from({ length: count }, (_, n) => `${from + n}`);

test('kept messages carry the time at which they were read, their number, and that they are historical', async (t) => {
  const rig = makeRig('live-first');
  rig.spool.add(['a', 'b'], ['c']);
  rig.start();
  await rig.clock.advance(200);
  t.deepEqual(
    rig.writer.written.map((packet) => [packet.topic, payloadText(packet), { ...packet.properties?.userProperties }]),
    ['a', 'b', 'c'].map((text, n) => [
      'base/scale',
      text,
      { ts: '1700000000000', seq: String(1 + n), historical: 'true' },
    ]),
  );
});

test('live-first: no more than replay_rate messages a second are sent, and what was not used is not saved up', async (t) => {
  const rig = makeRig('live-first', 100);
  rig.outbox.connected(65_535);
  for (let block = 0; block < 10; block += 1) rig.spool.add(numbers(100, 100 * block));
  rig.start();
  for (let second = 1; second <= 3; second += 1) {
    await rig.clock.advance(1000);
    const sent = rig.texts().length;
    t.true(sent <= 100 * second && sent >= 100 * second - 20, `${sent} after ${second} s`);
    rig.ack(...rig.texts());
  }
  t.deepEqual(rig.texts(), numbers(rig.texts().length));
});

test('a kept reading is retained only where it comes before live ones: the last value is the newest', async (t) => {
  for (const order of ['live-first', 'in-order'] as const) {
    const rig = makeRig(order);
    rig.spool.add(['a']);
    rig.spool.retain = true;
    rig.start();
    await rig.clock.advance(200);
    t.deepEqual(
      rig.writer.written.map(({ retain }) => retain),
      [order === 'in-order'],
    );
  }
});

test('a rate of one a second is one a second', async (t) => {
  const rig = makeRig('live-first', 1);
  rig.spool.add(numbers(10));
  rig.start();
  await rig.clock.advance(5100);
  t.is(rig.texts().length, 5);
});

test('in-order: kept messages go as fast as the broker takes them, over the borders of blocks', async (t) => {
  const rig = makeRig('in-order', 1);
  rig.outbox.connected(10);
  rig.spool.add(numbers(5));
  rig.spool.add(numbers(10, 5));
  t.true(rig.replay.isPending);
  rig.start();
  rig.pump();
  await rig.clock.settle();
  t.deepEqual(rig.texts(), numbers(10));
  rig.ack(...numbers(10));
  rig.pump();
  await rig.clock.settle();
  t.deepEqual(rig.texts(), numbers(15));
  t.false(rig.replay.isPending);
  t.is(rig.clock.pending, 0, 'no timer');
});

test('a block is done when the broker has all of it, not before', async (t) => {
  const rig = makeRig('in-order');
  rig.spool.add(['a'], ['b', 'c']);
  rig.start();
  rig.pump();
  await rig.clock.settle();
  rig.ack('a', 'c');
  t.deepEqual(rig.spool.told, []);
  rig.ack('b');
  t.deepEqual(rig.spool.told, ['done 1']);
});

test('with a lost session the spool gets back what the broker does not have, and hears how much it has without a gap', async (t) => {
  const rig = makeRig('in-order');
  rig.spool.add(numbers(5));
  rig.spool.add(numbers(5, 5));
  rig.start();
  rig.pump();
  await rig.clock.settle();
  t.deepEqual(rig.texts(), numbers(10));
  rig.ack('0', '1', '3');
  rig.replay.stop();
  rig.outbox.onLoss();
  rig.replay.giveBack();
  rig.outbox.forgetStored();
  t.deepEqual(rig.spool.told, ['trim 1 2']);
  t.true(rig.outbox.idle);
  t.false(rig.replay.isPending);
});

test('the order can change within a session: a backlog that went first is let out slowly from then on', async (t) => {
  const rig = makeRig('in-order', 100);
  rig.outbox.connected(65_535);
  rig.spool.add(numbers(2000).map((text) => text.padEnd(100)));
  rig.start();
  rig.pump();
  await rig.clock.settle();
  const atOnce = rig.texts().length;
  t.true(atOnce > 100);
  rig.replay.start('live-first');
  await rig.clock.advance(1000);
  t.true(rig.texts().length <= atOnce + 200, `${rig.texts().length - atOnce} in a second`);
});

test('a slow broker is not buried: the lane of kept messages stays short', async (t) => {
  const rig = makeRig('live-first', 1_000_000);
  rig.outbox.connected(1);
  for (let block = 0; block < 20; block += 1) rig.spool.add(numbers(10).map((text) => text.padEnd(1024)));
  rig.start();
  await rig.clock.advance(10_000);
  t.true(rig.outbox.keptBytes <= 66 * 1024, `${rig.outbox.keptBytes}`);
});

test('nothing is read while there is no session, and no timer is left behind', async (t) => {
  const rig = makeRig('live-first');
  rig.spool.add(['a']);
  rig.replay.pump();
  await rig.clock.advance(1000);
  t.deepEqual(rig.texts(), []);
  rig.start();
  rig.replay.stop();
  await rig.clock.advance(1000);
  t.deepEqual(rig.texts(), []);
  t.is(rig.clock.pending, 0);
});
