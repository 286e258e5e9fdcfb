// The outbox against a plain model: any order of adds, writes, acknowledgements and losses. Each reading is `device:number`,
// numbered per device, so that order and loss can be read off what the broker got.

import test, { type ExecutionContext } from 'ava';
import type { ReplayOrder } from '../../src/uplink/lanes.js';
import { Outbox } from '../../src/uplink/outbox.js';
import type { PublishRoute } from '../../src/uplink/publish-packet.js';
import { FakeWriter } from '../support/fake-writer.js';
import { payloadText } from '../support/mqtt-parse.js';
import { fc } from '../support/properties.js';
import { textBatch } from '../support/text-batch.js';

const MAX_URGENT_BYTES = 2000;
const DEVICES = ['a', 'b', 'kept', 'zero', 'answer', 'news'];
const URGENT: ReadonlySet<string> = new Set(['answer', 'news']);

const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('add' as const),
      device: fc.constantFrom(...DEVICES),
      count: fc.integer({ min: 1, max: 40 }),
      whenFull: fc.constantFrom('reject' as const, 'drop' as const),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('pump' as const) }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('ack' as const), picks: fc.array(fc.nat(), { maxLength: 30 }) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('flush' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('lose' as const),
      arrived: fc.nat(50),
      receiveMaximum: fc.integer({ min: 1, max: 300 }),
      version: fc.constantFrom(4 as const, 5 as const),
      takesAtOnce: fc.boolean(),
    }),
  },
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

const order = fc.constantFrom<ReplayOrder>('live-first', 'in-order');

class Model {
  readonly ranks: { readonly live: number; readonly kept: number };
  readonly routes = new Map(
    DEVICES.map((device): [string, PublishRoute] => [
      device,
      { topic: device, qos: device === 'zero' ? 0 : 1, retain: false },
    ]),
  );
  readonly outbox: Outbox;
  readonly next = new Map<string, number>();
  /** What the broker has, in order of arrival. */
  readonly arrived: string[] = [];
  /** Acknowledged messages per device. */
  readonly acked = new Map<string, number>();
  readonly goneAtQos0 = new Set<string>();
  /** News that were neither acknowledged nor dropped when their session ended. */
  readonly forgotten = new Set<string>();
  openNews = new Set<string>();
  /** Entries of kept messages, and how many of those are done. */
  keptEntries = 0;
  keptDone = 0;
  /** True once something was written although something with more right to go first waited. */
  hasOvertaken = false;
  writer = new FakeWriter();
  open: { id: number; text: string }[] = [];
  seen = 0;

  constructor(order: ReplayOrder) {
    this.outbox = new Outbox({ maxUrgentBytes: MAX_URGENT_BYTES, maxBuffered: 2000 });
    this.outbox.order = order;
    this.ranks = order === 'live-first' ? { live: 1, kept: 2 } : { kept: 1, live: 2 };
  }

  run(action: Step): void {
    if (action.kind === 'add') this.add(action.device, action.count, action.whenFull);
    else if (action.kind === 'pump') this.pump();
    else if (action.kind === 'flush') this.writer.flush();
    else if (action.kind === 'ack') for (const pick of action.picks) this.ack(pick);
    else this.lose(action);
  }

  add(device: string, count: number, whenFull: 'reject' | 'drop'): void {
    const route = this.routes.get(device);
    if (route === undefined) throw new Error(`no device ${device}`);
    const from = this.next.get(device) ?? 0;
    const texts = Array.from({ length: count }, (_, index) => `${device}:${from + index}`);
    const urgent = URGENT.has(device) && { urgent: device as 'answer' | 'news' };
    const kept = device === 'kept' && { isKept: true, onDone: () => void this.keptDone++ };
    if (kept) this.keptEntries += 1;
    const result = this.outbox.add({ device, route, batch: textBatch(texts), ...urgent, ...kept }, whenFull);
    if (result !== 'full') this.next.set(device, from + count);
    if (device !== 'news' || result === 'full') return;
    for (const text of texts) (result === 'queued' ? this.openNews : this.forgotten).add(text);
  }

  pump(): void {
    this.outbox.pump(this.writer);
    const fresh = this.writer.written.slice(this.seen);
    const ranks = fresh.map(({ topic }) => this.rank(topic));
    if (ranks.some((rank, index) => rank < (ranks[index - 1] ?? 0))) this.hasOvertaken = true;
    for (const packet of fresh) {
      if (packet.qos > 0) this.open.push({ id: packet.messageId ?? 0, text: payloadText(packet) });
    }
    this.seen = this.writer.written.length;
  }

  rank(topic: string): number {
    if (URGENT.has(topic)) return 0;
    return topic === 'kept' ? this.ranks.kept : this.ranks.live;
  }

  ack(pick: number): void {
    const [acked] = this.open.splice(pick % (this.open.length || 1), 1);
    if (acked === undefined) return;
    this.outbox.ack(acked.id);
    this.openNews.delete(acked.text);
    const [device = ''] = acked.text.split(':');
    this.acked.set(device, (this.acked.get(device) ?? 0) + 1);
  }

  /** The last packets written may not have arrived: at most those after the last acknowledged one. */
  lose({ arrived: missing, receiveMaximum, version, takesAtOnce }: Extract<Step, { kind: 'lose' }>): void {
    this.takeArrivals(missing);
    this.writer.flush();
    this.outbox.onLoss();
    for (const text of this.openNews) this.forgotten.add(text);
    this.openNews = new Set();
    this.outbox.connected(receiveMaximum);
    this.writer = new FakeWriter(version);
    this.writer.takesAtOnce = takesAtOnce;
    this.open = [];
    this.seen = 0;
  }

  takeArrivals(missing: number): void {
    const { written } = this.writer;
    const openIds = new Set(this.open.map(({ id }) => id));
    const lastAcked = written.findLastIndex((packet) => packet.qos > 0 && !openIds.has(packet.messageId ?? 0));
    const count = Math.max(lastAcked + 1, written.length - missing);
    for (const [index, packet] of written.entries()) {
      if (index < count) this.arrived.push(payloadText(packet));
      else if (packet.qos === 0) this.goneAtQos0.add(payloadText(packet));
    }
  }

  finish(): void {
    for (let turn = 0; !this.outbox.idle; turn++) {
      if (turn > 5000) throw new Error('never idle');
      this.pump();
      this.writer.flush();
      while (this.open.length > 0) this.ack(0);
    }
    this.takeArrivals(0);
  }
}

function check(t: ExecutionContext, model: Model): void {
  const drops = model.outbox.takeDrops();
  const first = [...new Set(model.arrived)];
  for (const device of DEVICES) {
    const numbers = first.filter((text) => text.startsWith(`${device}:`)).map((text) => Number(text.split(':')[1]));
    t.deepEqual(
      numbers,
      [...numbers].sort((a, b) => a - b),
      `order of ${device}`,
    );
    const missing = [...model.goneAtQos0, ...model.forgotten].filter((text) => !model.arrived.includes(text));
    const gone = missing.filter((text) => text.startsWith(`${device}:`)).length;
    const added = model.next.get(device) ?? 0;
    const dropped = drops.get(device)?.full ?? 0;
    t.true(added - numbers.length - gone <= dropped, `${device}: what is missing is counted`);
    // A reading may have arrived without our knowing, and be dropped while it waits to be sent again.
    t.true(dropped <= added - (model.acked.get(device) ?? 0), `${device}: what was acknowledged is not counted`);
  }
}

test('nothing is lost unless counted, order per device holds, what has more right goes first, urgent ones are bounded', (t) => {
  fc.assert(
    fc.property(order, fc.array(step, { minLength: 30, maxLength: 120, size: 'max' }), (replayOrder, steps) => {
      const model = new Model(replayOrder);
      for (const action of steps) {
        model.run(action);
        const { bytes, liveBytes, keptBytes } = model.outbox;
        t.true(bytes - liveBytes - keptBytes <= MAX_URGENT_BYTES);
        const left = [...model.outbox.leftovers().values()].reduce((sum, count) => sum + count, 0);
        if (left > 0) t.false(model.outbox.idle);
      }
      model.finish();
      check(t, model);
      t.is(model.outbox.bytes, 0);
      t.false(model.hasOvertaken, 'what has more right leaves first');
      t.is(model.keptDone, model.keptEntries, 'the spool is told of each once');
    }),
    { numRuns: 300 },
  );
});
