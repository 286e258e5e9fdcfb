import test from 'ava';
import { Loan } from '../../src/core/loan.js';
import { Outbox } from '../../src/uplink/outbox.js';
import type { OutboxEntry } from '../../src/uplink/outbox-entry.js';
import { FakeWriter } from '../support/fake-writer.js';
import { payloadText } from '../support/mqtt-parse.js';
import { textBatch } from '../support/text-batch.js';

function entry(device: string, texts: readonly string[], qos: 0 | 1 = 1): OutboxEntry {
  return { device, route: { topic: `base/${device}`, qos, retain: false }, batch: textBatch(texts) };
}

/** Bytes that an entry of `readings` one-byte readings counts for. */
const cost = (readings: number): number => 256 + readings * 17;

function written(writer: FakeWriter): string[] {
  return writer.written.map(payloadText);
}

function ack(outbox: Outbox, writer: FakeWriter, ...texts: string[]): void {
  for (const text of texts) {
    const packet = writer.written.findLast((sent) => payloadText(sent) === text);
    outbox.ack(packet?.messageId ?? 0);
  }
}

test('entries of several devices leave in order, in one socket write', (t) => {
  const outbox = new Outbox();
  const writer = new FakeWriter();
  outbox.add(entry('a', ['1', '2']));
  outbox.add(entry('b', ['3'], 0));
  outbox.add(entry('a', ['4']));
  outbox.pump(writer);
  t.deepEqual(written(writer), ['1', '2', '3', '4']);
  t.is(writer.writes, 1);
  t.is(outbox.unacknowledged, 3);
});

test('the window holds QoS 1 back until acknowledgements come, from the middle of a batch on', (t) => {
  const outbox = new Outbox();
  const writer = new FakeWriter();
  outbox.connected(2);
  outbox.add(entry('a', ['1', '2', '3', '4', '5']));
  outbox.pump(writer);
  t.deepEqual(written(writer), ['1', '2']);
  ack(outbox, writer, '1');
  outbox.pump(writer);
  ack(outbox, writer, '2', '3');
  outbox.pump(writer);
  t.deepEqual(written(writer), ['1', '2', '3', '4', '5']);
});

test('a socket that does not take bytes is not given more than its limit and one buffer', (t) => {
  const outbox = new Outbox({ maxBuffered: 100_000 });
  const writer = new FakeWriter();
  for (let i = 0; i < 100; i++) outbox.add(entry('a', ['x'.repeat(10_000)], 0));
  outbox.pump(writer);
  t.true(writer.buffered >= 100_000 && writer.buffered < 120_000, `${writer.buffered}`);
  writer.flush();
  outbox.pump(writer);
  t.is(written(writer).length, 20);
});

test('after a loss only what is not acknowledged is sent again, before what was never sent', (t) => {
  const outbox = new Outbox();
  const writer = new FakeWriter();
  outbox.connected(6);
  outbox.add(entry('a', ['1', '2', '3', '4']));
  outbox.add(entry('b', ['5', '6', '7', '8']));
  outbox.pump(writer);
  ack(outbox, writer, '1', '3', '5');
  outbox.onLoss();
  t.deepEqual(
    outbox.leftovers(),
    new Map([
      ['a', 2],
      ['b', 3],
    ]),
  );
  const next = new FakeWriter();
  outbox.pump(next);
  t.deepEqual(written(next), ['2', '4', '6', '7', '8']);
  ack(outbox, next, '2', '4', '6', '7', '8');
  t.true(outbox.idle);
  t.is(outbox.bytes, 0);
});

test('memory on loan goes back when the broker has all of a batch: at QoS 0 once it is packed', (t) => {
  const outbox = new Outbox();
  const writer = new FakeWriter();
  const returned: string[] = [];
  const lent = (device: string, texts: readonly string[], qos: 0 | 1): OutboxEntry => {
    const whole = entry(device, texts, qos);
    return { ...whole, batch: { ...whole.batch, loan: new Loan(() => returned.push(device)) } };
  };
  outbox.add(lent('zero', ['1', '2'], 0));
  outbox.add(lent('one', ['3', '4'], 1));
  outbox.pump(writer);
  t.deepEqual(returned, ['zero']);
  ack(outbox, writer, '4');
  t.deepEqual(returned, ['zero']);
  ack(outbox, writer, '3');
  t.deepEqual(returned, ['zero', 'one']);
});

test('what has to be sent again is on loan no more: its memory is left to the collector', (t) => {
  const outbox = new Outbox();
  const whole = entry('a', ['1', '2']);
  const loan = new Loan(() => t.fail('given back'));
  outbox.add({ ...whole, batch: { ...whole.batch, loan } });
  outbox.pump(new FakeWriter());
  outbox.onLoss();
  const next = new FakeWriter();
  outbox.pump(next);
  ack(outbox, next, '1', '2');
  t.true(outbox.idle);
});

test('QoS 0 that was written is gone with the connection; the rest of its batch is not', (t) => {
  const outbox = new Outbox({ maxBuffered: 1000 });
  const writer = new FakeWriter();
  outbox.add(
    entry(
      'a',
      Array.from({ length: 30 }, (_, i) => `${i}`.padStart(100, ' ')),
      0,
    ),
  );
  outbox.pump(writer);
  const count = writer.written.length;
  t.true(count > 5 && count < 30);
  outbox.onLoss();
  t.deepEqual(outbox.leftovers(), new Map([['a', 30 - count]]));
});

test('an acknowledgement that belongs to nothing is ignored', (t) => {
  const outbox = new Outbox();
  t.is(outbox.ack(300), 'unknown');
});

test('a message that the broker refuses is counted to its device and not sent again', (t) => {
  const outbox = new Outbox();
  const writer = new FakeWriter();
  outbox.add(entry('a', ['1']));
  outbox.pump(writer);
  t.is(outbox.ack(writer.written[0]?.messageId ?? 0, 135), 'refused');
  t.true(outbox.idle);
  t.deepEqual(outbox.takeDrops(), new Map([['a', { full: 0, 'too-large': 0, refused: 1 }]]));
  t.deepEqual(outbox.takeDrops(), new Map());
  t.is(outbox.dropped, 1);
});

test('a message larger than the broker takes is counted and skipped; its neighbours are sent', (t) => {
  const outbox = new Outbox();
  const writer = new FakeWriter(5, 50);
  outbox.add(entry('a', ['1', 'x'.repeat(50), '3', 'y'.repeat(50)]));
  outbox.pump(writer);
  t.deepEqual(written(writer), ['1', '3']);
  t.is(outbox.takeDrops().get('a')?.['too-large'], 2);
  ack(outbox, writer, '1', '3');
  t.is(outbox.bytes, 0);
});

test('whenIdle resolves with the last acknowledgement, or when it is given up', async (t) => {
  const outbox = new Outbox();
  const writer = new FakeWriter();
  const giveUp = new AbortController();
  t.is(await outbox.whenIdle(giveUp.signal), 'idle');
  outbox.add(entry('a', ['1']));
  const idle = outbox.whenIdle(giveUp.signal);
  const impatient = new AbortController();
  const givenUp = outbox.whenIdle(impatient.signal);
  outbox.pump(writer);
  impatient.abort();
  t.is(await givenUp, 'aborted');
  ack(outbox, writer, '1');
  t.is(await idle, 'idle');
});

test('another MQTT version on the next connection packs the same entries for it', (t) => {
  const outbox = new Outbox();
  outbox.add(entry('a', ['1']));
  outbox.pump(new FakeWriter(5));
  outbox.onLoss();
  const old = new FakeWriter(4);
  outbox.pump(old);
  t.deepEqual(written(old), ['1']);
});

function urgent(kind: 'answer' | 'news', text: string, onDone?: () => void): OutboxEntry {
  return { ...entry(kind, [text]), urgent: kind, ...(onDone && { onDone }) };
}

test('what is urgent leaves before what was not written yet, also from the middle of a batch, and keeps its own order', (t) => {
  const outbox = new Outbox();
  const writer = new FakeWriter();
  outbox.connected(2);
  outbox.add(entry('a', ['1', '2', '3']));
  outbox.pump(writer);
  outbox.add(urgent('answer', 'x'), 'reject');
  outbox.add(urgent('news', 'y'), 'reject');
  ack(outbox, writer, '1');
  outbox.pump(writer);
  ack(outbox, writer, '2', 'x');
  outbox.pump(writer);
  t.deepEqual(written(writer), ['1', '2', 'x', 'y', '3']);
});

test('a batch with something urgent between its readings comes back whole and in order after a loss; news do not', (t) => {
  const outbox = new Outbox();
  const writer = new FakeWriter();
  outbox.connected(2);
  outbox.add(entry('a', ['1', '2', '3', '4', '5']));
  outbox.pump(writer);
  outbox.connected(6);
  outbox.add(urgent('answer', 'x'), 'reject');
  outbox.add(urgent('news', 'y'), 'reject');
  outbox.pump(writer);
  t.deepEqual(written(writer), ['1', '2', 'x', 'y', '3', '4']);
  outbox.add(urgent('news', 'z'), 'reject');
  outbox.onLoss();
  const next = new FakeWriter();
  outbox.connected(100);
  outbox.pump(next);
  t.deepEqual(written(next), ['x', '1', '2', '3', '4', '5']);
  ack(outbox, next, 'x', '1', '2', '3', '4', '5');
  t.true(outbox.idle);
  t.is(outbox.bytes, 0);
  t.is(outbox.dropped, 0);
});

test('who waits for the end is told when the loss of a session leaves nothing but forgotten news', async (t) => {
  const outbox = new Outbox();
  outbox.add(urgent('news', 'x'), 'reject');
  const idle = outbox.whenIdle(new AbortController().signal);
  outbox.pump(new FakeWriter());
  outbox.onLoss();
  t.is(await idle, 'idle');
});

test('what is urgent has a bound of its own: refused or dropped and counted beyond it, readings never are', (t) => {
  const outbox = new Outbox({ maxUrgentBytes: 2 * cost(1) });
  const writer = new FakeWriter();
  for (const text of ['1', '2', '3']) outbox.add(entry('a', [text]));
  t.is(outbox.add(urgent('answer', 'x')), 'queued');
  t.is(outbox.add(urgent('answer', 'y')), 'queued');
  t.is(outbox.add(urgent('news', 'z'), 'reject'), 'full');
  t.is(outbox.add(urgent('answer', 'z')), 'dropped');
  outbox.pump(writer);
  t.deepEqual(written(writer), ['x', 'y', '1', '2', '3']);
  t.deepEqual([...outbox.takeDrops()], [['answer', { full: 1, 'too-large': 0, refused: 0 }]]);
});

test('news leave half of what urgent entries may take to the answers, and are not counted where they do not fit', (t) => {
  const outbox = new Outbox({ maxUrgentBytes: 4 * cost(1) });
  const writer = new FakeWriter();
  const news = ['1', '2', '3'].map((text) => outbox.add(urgent('news', text)));
  t.deepEqual(news, ['queued', 'queued', 'dropped']);
  t.is(outbox.add(urgent('news', '3'), 'reject'), 'full', 'a state is said later');
  t.is(outbox.add(urgent('answer', 'x')), 'queued');
  t.is(outbox.add(urgent('answer', 'y')), 'queued');
  outbox.pump(writer);
  t.deepEqual(written(writer), ['1', '2', 'x', 'y']);
  t.is(outbox.dropped, 0);
  t.is(outbox.takeDrops().size, 0);
});

test('a single urgent entry larger than the bound is taken where nothing urgent waits', (t) => {
  const outbox = new Outbox({ maxUrgentBytes: 1000 });
  t.is(outbox.add(urgent('news', 'x'.repeat(5000)), 'reject'), 'queued');
  t.is(outbox.add(urgent('news', 'y'), 'reject'), 'full');
});

test('onDone is called with the last acknowledgement, for a refusal too, and never for what is forgotten', (t) => {
  const outbox = new Outbox();
  const writer = new FakeWriter();
  const done: string[] = [];
  const note = (name: string) => () => void done.push(name);
  outbox.add({ ...entry('a', ['1', '2']), onDone: note('batch') });
  outbox.add(urgent('news', 'x', note('refused')), 'reject');
  outbox.pump(writer);
  ack(outbox, writer, '1');
  t.deepEqual(done, []);
  ack(outbox, writer, '2');
  outbox.ack(writer.written[0]?.messageId ?? 0, 135);
  outbox.add(urgent('news', 'y', note('forgotten')), 'reject');
  outbox.pump(writer);
  outbox.onLoss();
  t.deepEqual(done, ['batch', 'refused']);
});

/** One that has been read back from the spool. */
function kept(text: string, onDone: () => void = () => {}): OutboxEntry {
  return { ...entry('a', [text]), isKept: true, onDone };
}

test('live-first: kept messages leave when no live one waits', (t) => {
  const outbox = new Outbox();
  outbox.order = 'live-first';
  const writer = new FakeWriter();
  outbox.add(kept('old'));
  outbox.add(entry('a', ['new']));
  outbox.add(urgent('answer', 'x'));
  outbox.pump(writer);
  t.deepEqual(written(writer), ['x', 'new', 'old']);
});

test('in-order: live messages wait for the kept ones, and while they are held also for those that are to come', (t) => {
  const outbox = new Outbox();
  outbox.order = 'in-order';
  const writer = new FakeWriter();
  outbox.holdLive(true);
  outbox.add(entry('a', ['new']));
  outbox.add(kept('old'));
  outbox.pump(writer);
  t.deepEqual(written(writer), ['old']);
  t.false(outbox.idle);
  outbox.add(kept('older than new'));
  outbox.holdLive(false);
  outbox.pump(writer);
  t.deepEqual(written(writer), ['old', 'older than new', 'new']);
});

test('takeLive hands out what waits, without what has been written or is in the spool already', (t) => {
  const outbox = new Outbox();
  const writer = new FakeWriter();
  outbox.connected(3);
  outbox.add(entry('a', ['1', '2']));
  outbox.add({ ...entry('a', ['stored', 'stored too']), onDone: () => {} });
  outbox.add(entry('b', ['3']));
  outbox.add(kept('old'));
  outbox.pump(writer);
  t.deepEqual(written(writer), ['1', '2', 'stored']);
  const texts = (entries: OutboxEntry[]): string[] =>
    entries.flatMap(({ batch: { bytes, bounds } }) =>
      Array.from(bounds).flatMap((start, i) => (i % 2 === 0 ? [bytes.toString('utf8', start, bounds[i + 1])] : [])),
    );
  t.deepEqual(texts(outbox.takeLive()), ['3']);
  ack(outbox, writer, '1');
  outbox.onLoss();
  t.deepEqual(outbox.leftovers(), new Map([['a', 1]]), 'what the spool has is not lost');
  t.deepEqual(texts(outbox.takeLive()), ['2']);
  const next = new FakeWriter();
  outbox.connected(100);
  outbox.pump(next);
  t.deepEqual(written(next), ['stored', 'stored too', 'old']);
  outbox.onLoss();
  outbox.forgetStored();
  t.true(outbox.idle);
  t.is(outbox.bytes, 0);
});

test('what is worth telling in one session only is owed to nobody at the end', (t) => {
  const outbox = new Outbox();
  const writer = new FakeWriter();
  outbox.connected(1);
  for (const urgent of ['news', 'answer'] as const) outbox.add({ ...entry('a', ['1', '2']), urgent });
  outbox.pump(writer);
  t.is(outbox.unacknowledged, 1);
  t.deepEqual(outbox.leftovers(), new Map([['a', 2]]), 'the answer');
});

test('where the system takes all at once, one buffer serves for all writes', (t) => {
  const outbox = new Outbox();
  const writer = new FakeWriter();
  writer.takesAtOnce = true;
  for (let chunk = 0; chunk < 3; chunk++) {
    for (let n = 0; n < 8; n++) outbox.add(entry('a', [`${chunk}${n}`.padEnd(40_000)], 0));
    outbox.pump(writer);
  }
  t.is(writer.writes, 24);
  t.is(writer.memory.size, 1);
  t.deepEqual(
    written(writer).map((text) => text.trim()),
    Array.from({ length: 24 }, (_, n) => `${Math.floor(n / 8)}${n % 8}`),
  );
});

test('a broker that is slower than the devices costs no new memory per write', (t) => {
  const outbox = new Outbox();
  const memory = new Set<ArrayBufferLike>();
  const dones: (() => void)[] = [];
  const writer = {
    protocolVersion: 5 as const,
    maximumPacketSize: Number.POSITIVE_INFINITY,
    buffered: 0,
    writePackets(packets: Buffer, done: () => void): void {
      memory.add(packets.buffer);
      this.buffered += packets.length;
      dones.push(done);
    },
  };
  for (let chunk = 0; chunk < 50; chunk++) {
    outbox.add(entry('a', new Array(1000).fill('x'.repeat(64)), 0));
    outbox.pump(writer);
    if (writer.buffered < 256 * 1024) continue;
    writer.buffered = 0;
    for (const done of dones.splice(0)) done();
  }
  t.true(memory.size <= 8, `${memory.size} buffers`);
});
