import { readdirSync } from 'node:fs';
import test from 'ava';
import { Decoder } from '../../../src/device/decoder.js';
import { builtInDriversDir, loadDriver } from '../../../src/device/load.js';
import { makeFramer } from '../../../src/device/make-framer.js';
import { type DecodeHost, quietDueMs } from '../../../src/group/decode-host.js';
import { WORKER_BACKLOG } from '../../../src/group/worker/worker-decoder.js';
import { CollectingSink } from '../../support/collecting-sink.js';
import { driverFixture } from '../../support/driver-fixture.js';
import { eventually } from '../../support/eventually.js';
import { fc } from '../../support/properties.js';
import { framing, TimedSink, workerRig } from '../../support/worker-rig.js';

const set = (text: string, channel?: string) =>
  ({ verb: 'set', payload: Buffer.from(text), ...(channel === undefined ? {} : { channel }) }) as const;

test.serial('any chunking gives the readings and the junk that the inline decoder gives', async (t) => {
  const stream = Buffer.concat([driverFixture('sketch.ndjson'), Buffer.from('garbage\n{"half":')]);
  const driver = await loadDriver('json-lines', { dirs: [builtInDriversDir] });
  if (driver.kind !== 'framed') return t.fail();
  const options = driver.options.parse({});
  const inline = new CollectingSink();
  const decoder = new Decoder({ framer: makeFramer(framing('line')), instance: driver.create(options), out: inline });
  decoder.push(stream);
  decoder.flush('end');
  t.true(inline.texts.length > 0);
  t.true(inline.reasons.length > 0);
  const offsets = fc.uniqueArray(fc.nat(stream.length), { maxLength: 300 });
  await fc.assert(
    fc.asyncProperty(offsets, async (at) => {
      const rig = workerRig(t, 'json-lines', { options });
      const ends = [...at.sort((a, b) => a - b), stream.length];
      let start = 0;
      for (const [index, end] of ends.entries()) {
        rig.push(stream.subarray(start, end));
        start = end;
        if (index % 7 === 0) await rig.decoder.whenIdle();
      }
      rig.decoder.flush('end');
      t.is(await rig.decoder.whenIdle(), 'done');
      t.deepEqual(rig.sink.texts, inline.texts);
      t.deepEqual(rig.sink.junked, inline.junked);
      t.deepEqual(rig.decoder.stats, decoder.stats);
      await rig.decoder.close();
    }),
    { numRuns: 6 },
  );
});

test.serial('with raw framing each chunk stays a reading of its own, though many travel together', async (t) => {
  const { decoder, sink, push } = workerRig(t, 'raw', { framing: framing('raw') });
  for (const text of ['a', 'bc', 'def']) push(text);
  await decoder.whenIdle();
  t.deepEqual(sink.texts, ['a', 'bc', 'def']);
  t.is(sink.batches.length, 1);
});

test.serial('a hundred thousand lines come in order, whatever the batches', async (t) => {
  const { decoder, sink } = workerRig(t, 'lines');
  const count = 100_000;
  for (let n = 0; n < count; ) {
    const upTo = Math.min(count, n + 500);
    let text = '';
    for (; n < upTo; n++) text += `line ${n}\n`;
    decoder.push(Buffer.from(text), n, n);
    if (decoder.backlog >= WORKER_BACKLOG) t.is(await decoder.whenRoom(), 'done');
    t.true(decoder.backlog < WORKER_BACKLOG);
  }
  await decoder.whenIdle();
  t.is(decoder.backlog, 0);
  const wrong = sink.texts.findIndex((text, n) => text !== `line ${n}`);
  t.is(wrong, -1);
  t.is(sink.texts.length, count);
  t.deepEqual(decoder.stats, { bytesIn: decoder.stats.bytesIn, frames: count, readings: count, junk: new Map() });
});

test.serial('readings carry the time at which their bytes came; those of 10 ms share one', async (t) => {
  const { decoder, sink } = workerRig(t, 'lines');
  const ats = [0, 4, 9, 40, 45, 5000];
  for (const at of ats) decoder.push(Buffer.from(`${at}\n`), at, 1_000_000 + at);
  await decoder.whenIdle();
  t.deepEqual(sink.walls, [1_000_000, 1_000_040, 1_005_000]);
  t.deepEqual(sink.texts, ats.map(String));
});

test.serial('the pool that chunks are slices of stays intact', async (t) => {
  const { decoder, sink } = workerRig(t, 'lines');
  const pool = Buffer.from('one\ntwo\n');
  decoder.push(pool.subarray(0, 4), 0, 0);
  decoder.push(pool.subarray(4), 0, 0);
  await decoder.whenIdle();
  t.is(pool.toString(), 'one\ntwo\n');
  t.deepEqual(sink.texts, ['one', 'two']);
});

test.serial('the Worker ends a frame by silence itself, and settles', async (t) => {
  const gap = workerRig(t, 'raw', { framing: framing('silence', { gap: '30ms' }) });
  gap.push('a');
  gap.push('b');
  await eventually(() => gap.sink.texts.length > 0, 'the frame that silence ends');
  t.deepEqual(gap.sink.texts, ['ab']);

  const settling = workerRig(t, 'tells');
  settling.push('settle\nsettle\n');
  await eventually(() => settling.sink.texts.length > 0, 'the settled reading');
  t.deepEqual(settling.sink.objects, [{ settled: 2 }]);
});

test.serial('silence between chunks is judged by when they came, not by when they are decoded', async (t) => {
  const { decoder, sink } = workerRig(t, 'raw', { framing: framing('silence', { gap: '30ms' }) });
  const chunks: [string, number][] = [
    ['a', 0],
    ['b', 29],
    ['c', 59],
    ['d', 70],
    ['e', 200],
  ];
  for (const [text, at] of chunks) decoder.push(Buffer.from(text), at, at);
  decoder.flush('end');
  await decoder.whenIdle();
  t.deepEqual(sink.texts, ['ab', 'cd']);
  t.deepEqual(sink.reasons, ['partial']);
});

test.serial('a partial frame is junk when the link ends, and the next link begins anew', async (t) => {
  const { decoder, sink, push } = workerRig(t, 'lines');
  push('whole\npart');
  decoder.flush('end');
  push('next\n');
  await decoder.whenIdle();
  t.deepEqual(sink.texts, ['whole', 'next']);
  t.deepEqual(sink.reasons, ['partial']);
});

test.serial('commands are encoded and framed in the Worker, also before it has started', async (t) => {
  const { decoder } = workerRig(t, 'tells');
  const [one, two] = await Promise.all([
    decoder.encodeCommand(set('5', 'level')),
    decoder.encodeCommand(set('6', 'level')),
  ]);
  t.deepEqual(one, { ok: true, payloads: [Buffer.from('set level \n'), Buffer.from('5\n')] });
  t.deepEqual(two, { ok: true, payloads: [Buffer.from('set level \n'), Buffer.from('6\n')] });
  t.deepEqual(await decoder.encodeCommand(set('5', 'volume')), {
    ok: false,
    reason: 'no channel "volume"; it takes: set/level',
  });
});

test.serial('the driver sees its options with Buffers, no environment and no arguments', async (t) => {
  const options = { prefix: Buffer.from('GP') };
  const { decoder, sink, push } = workerRig(t, 'tells', { options });
  push('x\n');
  await decoder.whenIdle();
  t.deepEqual(sink.objects, [{ text: 'x', isBuffer: true, prefix: 'GP', env: 0, argv: 0 }]);
});

test.serial('nothing is started for a device that is never heard of', async (t) => {
  const { decoder } = workerRig(t, 'lines');
  decoder.flush('end');
  t.is(decoder.state, 'idle');
  t.is(await decoder.whenIdle(), 'done');
  await decoder.close();
  t.is(decoder.state, 'closed');
});

test.serial('a wait ends when its signal aborts, and when the decoder is closed', async (t) => {
  const { decoder, push } = workerRig(t, 'lines');
  push('x\n');
  const abort = new AbortController();
  const aborted = decoder.whenIdle(abort.signal);
  abort.abort();
  t.is(await aborted, 'aborted');
  t.is(await decoder.whenIdle(abort.signal), 'aborted');
  const gone = decoder.whenIdle();
  const command = decoder.encodeCommand(set('5'));
  await decoder.close();
  t.is(await gone, 'gone');
  t.deepEqual(await command, { ok: false, reason: 'not sent: the device is being closed' });
  t.is(decoder.lostBytes, 2);
});

test.serial('bytes for a closed decoder are counted as lost', async (t) => {
  const { decoder, push } = workerRig(t, 'lines');
  await decoder.close();
  push('four');
  t.is(decoder.lostBytes, 4);
  t.is(decoder.backlog, 0);
  t.deepEqual(await decoder.encodeCommand(set('5')), { ok: false, reason: 'not sent: the device is being closed' });
});

test.serial('to its owner it looks like a Decoder that never waits for silence', (t) => {
  const { decoder } = workerRig(t, 'lines');
  const inline = new Decoder({ framer: makeFramer(framing('line')), instance: {}, out: new CollectingSink() });
  const hosts: DecodeHost[] = [decoder, inline];
  t.is(hosts.length, 2);
  t.is(quietDueMs(decoder), undefined);
  t.deepEqual(decoder.stats, inline.stats);
});

test.serial('twenty Workers started and ended one after the other leave no thread and no file behind', async (t) => {
  const count = () => ({
    threads: readdirSync('/proc/self/task').length,
    files: readdirSync('/proc/self/fd').length,
  });
  const once = async (): Promise<void> => {
    const { decoder, sink, push } = workerRig(t, 'lines', { out: new TimedSink() });
    push('x\n');
    await decoder.whenIdle();
    t.is(sink.texts.length, 1);
    await decoder.close();
  };
  await once();
  const before = count();
  for (let i = 0; i < 20; i++) await once();
  await eventually(() => count().threads <= before.threads && count().files <= before.files, 'threads and files to go');
  t.pass();
});
