import test from 'ava';
import raw from '../../devices/raw.js';
import { decodeAll, decoderOf, driverContract } from '../contracts/driver.js';
import { CollectingSink } from '../support/collecting-sink.js';

const stream = Buffer.from([0x00, 0x0a, 0x0d, 0xff, 0x02, 0x03, 0x7e, 0x00, 0x00, 0x80]);

driverContract(raw, { name: 'raw bytes', stream });

test('each chunk is a reading, as it is', (t) => {
  t.deepEqual(decodeAll(raw, [Buffer.from([0, 10]), Buffer.from([255])]).texts, ['\x00\n', '\xff']);
});

test('the payload of set goes down as it is', (t) => {
  const decoder = decoderOf(raw, new CollectingSink());
  const payload = Buffer.from([0, 10, 13, 255]);
  t.deepEqual(decoder.encodeCommand({ verb: 'set', payload }), { ok: true, payloads: [payload] });
});

test('get and set/<channel> are refused with what is taken', (t) => {
  const decoder = decoderOf(raw, new CollectingSink());
  const payload = Buffer.from('1');
  t.deepEqual(decoder.encodeCommand({ verb: 'get', payload }), {
    ok: false,
    reason: 'the raw driver has nothing to ask for; it takes: set',
  });
  t.deepEqual(decoder.encodeCommand({ verb: 'set', channel: 'led', payload }), {
    ok: false,
    reason: 'the raw driver has no channel "led"; it takes: set',
  });
});
