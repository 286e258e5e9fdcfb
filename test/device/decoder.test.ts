import test from 'ava';
import { Decoder, DriverCrash } from '../../src/device/decoder.js';
import type { Decoded, DriverInstance, Encoded, FramedDriver } from '../../src/device/driver.js';
import { CollectingSink } from '../support/collecting-sink.js';
import { plainLineFramer } from '../support/plain-framer.js';
import { fc } from '../support/properties.js';

function setUp(instance: DriverInstance, commands?: FramedDriver['commands']) {
  const sink = new CollectingSink();
  const decoder = new Decoder({ framer: plainLineFramer(), instance, out: sink, commands });
  return { sink, decoder };
}

/** A device whose decode answers `answer` to every line. */
function answering(answer: unknown) {
  return setUp({ decode: () => answer as Decoded }); // drivers in plain JavaScript answer anything
}

const set = (text: string, channel?: string) =>
  ({ verb: 'set', payload: Buffer.from(text), ...(channel === undefined ? {} : { channel }) }) as const;

test('without decode, a 64 KiB chunk of lines is one batch that shares the memory of the chunk', (t) => {
  const { sink, decoder } = setUp({});
  const chunk = Buffer.alloc(64 * 1024, `${'x'.repeat(63)}\n`);
  decoder.push(chunk);
  t.is(sink.batches.length, 1);
  t.is(sink.batches[0]?.bytes, chunk);
  t.is(sink.batches[0]?.bounds.length, 2048);
  t.deepEqual([...(sink.batches[0]?.bounds.slice(-2) ?? [])], [65472, 65535]);
  t.is(decoder.stats.readings, 1024);
  t.is(decoder.stats.bytesIn, 65536);
});

test('a frame that straddled two chunks comes in a batch of its own, in order', (t) => {
  const { sink, decoder } = setUp({});
  decoder.push(Buffer.from('one\ntw'));
  decoder.push(Buffer.from('o\nthree\nfour\n'));
  t.deepEqual(sink.texts, ['one', 'two', 'three', 'four']);
  t.is(sink.batches.length, 3);
});

test('an empty frame is a reading of no bytes', (t) => {
  const { sink, decoder } = setUp({});
  decoder.push(Buffer.from('\na\n'));
  t.deepEqual(sink.texts, ['', 'a']);
});

test('a short line out of a large read buffer is copied out, so that it does not keep the buffer alive', (t) => {
  const { sink, decoder } = setUp({});
  const pool = Buffer.alloc(2 * Math.max(64 * 1024, Buffer.poolSize));
  pool.write('12.5 kg\n13.5 kg\n', 1000);
  decoder.push(pool.subarray(1000, 1016));
  t.deepEqual(sink.texts, ['12.5 kg', '13.5 kg']);
  t.is(sink.batches.length, 1);
  t.not(sink.batches[0]?.bytes.buffer, pool.buffer);
});

test('lines that make up a quarter of their buffer or more are not copied', (t) => {
  const { sink, decoder } = setUp({});
  const pool = Buffer.alloc(64 * 1024, 0x61);
  pool[20_000] = 10;
  decoder.push(pool.subarray(0, 20_001));
  t.is(sink.batches[0]?.bytes.buffer, pool.buffer);
});

test('any chunking gives the same readings, with and without decode', (t) => {
  const stream = Buffer.from('one\n\ntwo\nthree är\n\nlast\n');
  const instances: DriverInstance[] = [{}, { decode: (frame) => ({ line: frame.toString() }) }];
  for (const instance of instances) {
    const whole = setUp(instance);
    whole.decoder.push(stream);
    const offsets = fc.uniqueArray(fc.nat(stream.length)).map((at) => [0, ...at.sort((a, b) => a - b), stream.length]);
    fc.assert(
      fc.property(offsets, (at) => {
        const { sink, decoder } = setUp(instance);
        at.slice(1).forEach((end, i) => void decoder.push(Buffer.from(stream.subarray(at[i], end))));
        t.deepEqual(sink.texts, whole.sink.texts);
      }),
    );
  }
});

test('the readings of one chunk are one batch of JSON texts, cut at bytes and not at characters', (t) => {
  const { sink, decoder } = setUp({ decode: (frame) => ({ text: frame.toString() }) });
  decoder.push(Buffer.from('21 °C\n€\nplain\n'));
  t.is(sink.batches.length, 1);
  t.deepEqual(sink.objects, [{ text: '21 °C' }, { text: '€' }, { text: 'plain' }]);
});

test('decode may answer nothing, one reading or several', (t) => {
  const answers: Decoded[] = [undefined, { a: 1 }, [{ b: 2 }, { c: 3 }], []];
  const { sink, decoder } = setUp({ decode: () => answers.shift() });
  decoder.push(Buffer.from('1\n2\n3\n4\n'));
  t.deepEqual(sink.objects, [{ a: 1 }, { b: 2 }, { c: 3 }]);
  t.is(decoder.stats.frames, 4);
  t.is(decoder.stats.readings, 3);
});

test('NaN and Infinity become null', (t) => {
  const { sink, decoder } = answering({ a: Number.NaN, b: Number.POSITIVE_INFINITY, c: 1 });
  decoder.push(Buffer.from('x\n'));
  t.deepEqual(sink.objects, [{ a: null, b: null, c: 1 }]);
});

test('a frame that the driver rejects is junk with the reason of the driver', (t) => {
  const { sink, decoder } = answering({ rejected: 'checksum 3F, computed 41' });
  decoder.push(Buffer.from('abc\n'));
  t.deepEqual(sink.junked, [
    { reason: 'rejected: checksum 3F, computed 41', bytes: Buffer.from('abc'), droppedBytes: 0 },
  ]);
  t.is(decoder.stats.junk.get('rejected'), 1);
});

test('a reading that has a channel named rejected is a reading', (t) => {
  const { sink, decoder } = answering([{ rejected: 'by the grader' }]);
  decoder.push(Buffer.from('x\n'));
  t.deepEqual(sink.objects, [{ rejected: 'by the grader' }]);
});

const cyclic: Record<string, unknown> = {};
cyclic.self = cyclic;

const nonsense: readonly [string, unknown, RegExp][] = [
  ['a function', () => {}, /^bad-reading: function, expected an object/],
  ['a number', 42, /42/],
  ['NaN', Number.NaN, /NaN/],
  ['null', null, /null/],
  ['text', 'hello', /string/],
  ['a cyclic object', cyclic, /circular/i],
  ['a BigInt', { n: 1n }, /BigInt/],
  ['a list of lists', [[1]], /Array/],
  ['bytes', Buffer.from('abc'), /Buffer/],
  ['a date', new Date(0), /Date/],
  ['a toJSON of its own', { toJSON: () => 'text' }, /toJSON/],
];

for (const [what, answer, reason] of nonsense) {
  test(`a decode that answers ${what} is counted as a bad reading`, (t) => {
    const { sink, decoder } = answering(answer);
    decoder.push(Buffer.from('x\n'));
    t.regex(sink.reasons.join(), reason);
    t.is(decoder.stats.junk.get('bad-reading'), 1);
    t.is(decoder.stats.readings, 0);
  });
}

test('an async decode is a bad reading, and its failure later does not end the process', async (t) => {
  const answer = Promise.reject(new Error('async decode'));
  const { sink, decoder } = answering(answer);
  decoder.push(Buffer.from('x\n'));
  t.deepEqual(sink.reasons, ['bad-reading: Promise, expected an object of channels and values']);
  await t.throwsAsync(answer);
});

test('a good reading beside a bad one in a list is kept', (t) => {
  const { sink, decoder } = answering([{ a: 1 }, 5, { b: 2 }]);
  decoder.push(Buffer.from('x\n'));
  t.deepEqual(sink.objects, [{ a: 1 }, { b: 2 }]);
  t.is(sink.junked.length, 1);
});

test('junk of the framer is handed on as a bounded copy', (t) => {
  const { sink, decoder } = setUp({});
  const chunk = Buffer.alloc(10_000, 0x41);
  decoder.push(chunk);
  const [junk] = sink.junked;
  t.is(junk?.reason, 'too-long');
  t.is(junk?.bytes.length, 1024);
  t.is(junk?.droppedBytes, 10_000 - 1024);
  t.not(junk?.bytes.buffer, chunk.buffer);
  t.is(decoder.stats.junk.get('too-long'), 1);
  t.is(decoder.held, 0);
});

test('half a frame at the end of a link is junk', (t) => {
  const { sink, decoder } = setUp({});
  decoder.push(Buffer.from('a\nhal'));
  t.is(decoder.held, 3);
  decoder.flush('end');
  t.deepEqual(sink.reasons, ['partial']);
  t.is(decoder.held, 0);
});

test('a decode that throws is a DriverCrash, after what came before it was handed out', (t) => {
  const bug = new TypeError('x is undefined');
  const { sink, decoder } = setUp({
    decode(frame) {
      if (frame.toString() === 'bad') throw bug;
      return { line: frame.toString() };
    },
  });
  const crash = t.throws(() => decoder.push(Buffer.from('one\nbad\nafter\nafter\n')), { instanceOf: DriverCrash });
  t.is(crash?.cause, bug);
  t.is(crash?.code, 'driver-crash');
  t.deepEqual(sink.objects, [{ line: 'one' }]);
  t.deepEqual(sink.junked, [{ reason: 'crashed: x is undefined', bytes: Buffer.from('bad'), droppedBytes: 0 }]);
  t.is(decoder.stats.junk.get('skipped'), 2);
  decoder.push(Buffer.from('two\n'));
  t.deepEqual(sink.objects, [{ line: 'one' }, { line: 'two' }], 'the framer is still in step');
});

test('settle hands out what the driver gathered, once', (t) => {
  let gathered: Record<string, number> = {};
  const { sink, decoder } = setUp({
    decode(frame) {
      gathered[frame.toString()] = 1;
      return undefined;
    },
    settle: () => gathered,
    settleMs: 200,
  });
  t.is(decoder.settleMs, 200);
  decoder.settle();
  t.deepEqual(sink.objects, []);
  decoder.push(Buffer.from('a\nb\n'));
  t.true(decoder.hasUnsettled);
  decoder.settle();
  t.false(decoder.hasUnsettled);
  gathered = {};
  decoder.settle();
  t.deepEqual(sink.objects, [{ a: 1, b: 1 }]);
});

test('the end of a link settles', (t) => {
  const { sink, decoder } = setUp({ decode: () => undefined, settle: () => ({ done: true }) });
  decoder.push(Buffer.from('a\n'));
  decoder.flush('gap');
  t.deepEqual(sink.objects, []);
  decoder.flush('end');
  t.deepEqual(sink.objects, [{ done: true }]);
});

test('a settle that throws is a DriverCrash', (t) => {
  const { decoder } = setUp({
    decode: () => undefined,
    settle: () => {
      throw new Error('bug');
    },
  });
  decoder.push(Buffer.from('a\n'));
  t.throws(() => decoder.settle(), { instanceOf: DriverCrash, message: /settle: bug/ });
});

test('settleMs is kept between 10 ms and 10 s, and is absent for drivers that do not settle', (t) => {
  const settle = () => undefined;
  t.is(setUp({ settle, settleMs: 1 }).decoder.settleMs, 10);
  t.is(setUp({ settle, settleMs: 1e9 }).decoder.settleMs, 10_000);
  t.is(setUp({ settle, settleMs: Number.NaN }).decoder.settleMs, 150);
  t.is(setUp({ settle }).decoder.settleMs, 150);
  t.is(setUp({ settleMs: 50 }).decoder.settleMs, undefined);
});

test('a command becomes framed payloads', (t) => {
  const one = setUp({ encode: ({ payload }) => payload });
  t.deepEqual(one.decoder.encodeCommand(set('GO')), { ok: true, payloads: [Buffer.from('GO\n')] });
  const two = setUp({ encode: () => [Buffer.from('A'), new Uint8Array([66])] });
  t.deepEqual(two.decoder.encodeCommand(set('GO')), { ok: true, payloads: [Buffer.from('A\n'), Buffer.from('B\n')] });
});

test('a driver without encode says what its device takes', (t) => {
  const { decoder } = setUp({});
  t.deepEqual(decoder.encodeCommand(set('1', 'led')), {
    ok: false,
    reason: "this device's driver takes no set/led; it takes: write",
  });
});

test('a channel that the driver does not declare is refused with the list of those it does', (t) => {
  const encode = () => Buffer.from('x');
  const named = setUp({ encode }, { led: { summary: '' }, fan: { summary: '' } }).decoder;
  t.deepEqual(named.encodeCommand(set('1', 'lad')), {
    ok: false,
    reason: 'no channel "lad"; it takes: set/led, set/fan',
  });
  t.true(named.encodeCommand(set('1', 'fan')).ok);
  t.true(setUp({ encode }, { '*': { summary: '' } }).decoder.encodeCommand(set('1', 'lad')).ok);
});

test('a rejected command carries the reason of the driver', (t) => {
  const { decoder } = setUp({ encode: () => ({ rejected: 'expected 0 to 100' }) });
  t.deepEqual(decoder.encodeCommand(set('101')), { ok: false, reason: 'expected 0 to 100' });
});

test('an encode that answers no bytes is told as a bug of the driver; one that throws is a DriverCrash', (t) => {
  const wrong = setUp({ encode: () => 'text' as unknown as Encoded }); // as plain JavaScript may
  t.deepEqual(wrong.decoder.encodeCommand(set('1')), {
    ok: false,
    reason: 'bug in the driver: encode answered string, expected bytes',
  });
  const thrower = setUp({
    encode: () => {
      throw new Error('bug');
    },
  });
  t.throws(() => thrower.decoder.encodeCommand(set('1')), { instanceOf: DriverCrash, message: /encode: bug/ });
});
