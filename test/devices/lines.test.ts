import test from 'ava';
import lines from '../../devices/lines.js';
import { decodeAll, decoderOf, driverContract } from '../contracts/driver.js';
import { CollectingSink } from '../support/collecting-sink.js';
import { driverFixture } from '../support/driver-fixture.js';

const stream = driverFixture('scale.txt');

driverContract(lines, { name: 'scale.txt', stream });

test('a line is published byte for byte, without its delimiter', (t) => {
  t.deepEqual(decodeAll(lines, [stream]).texts, [
    'ST,GS,+  12.50kg\r',
    'ST,GS,+  12.51kg\r',
    '\r',
    '\xff\x00\xe4 torn\r',
    'US,GS,-   0.02kg\r',
  ]);
});

test('a chunk of lines is one batch in the memory of the chunk', (t) => {
  const sink = new CollectingSink();
  const chunk = Buffer.alloc(64 * 1024, `${'0123456789abcde '.repeat(4).slice(0, 63)}\n`);
  decoderOf(lines, sink).push(chunk);
  t.is(sink.batches.length, 1);
  t.is(sink.batches[0]?.bytes, chunk);
  t.is(sink.batches[0]?.bounds.length, 2048);
});

test('the payload of set goes down as one line', (t) => {
  const decoder = decoderOf(lines, new CollectingSink());
  t.deepEqual(decoder.encodeCommand({ verb: 'set', payload: Buffer.from('TARE') }), {
    ok: true,
    payloads: [Buffer.from('TARE\n')],
  });
});

test('get and set/<channel> are refused with what is taken', (t) => {
  const decoder = decoderOf(lines, new CollectingSink());
  const payload = Buffer.from('1');
  t.deepEqual(decoder.encodeCommand({ verb: 'get', payload }), {
    ok: false,
    reason: 'the lines driver has nothing to ask for; it takes: set',
  });
  t.false(decoder.encodeCommand({ verb: 'set', channel: 'led', payload }).ok);
});
