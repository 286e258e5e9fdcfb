import test from 'ava';
import template from '../../devices/_template.js';
import { decodeAll, decoderOf, driverContract } from '../contracts/driver.js';
import { CollectingSink } from '../support/collecting-sink.js';

const stream = Buffer.from('T=21.5;H=40\r\nT=-3;H=99.5\r\n');

driverContract(template, { name: 'template', stream });

test('lines become readings, with the offset of the options', (t) => {
  t.deepEqual(decodeAll(template, [stream], { temperature_offset: 0.5 }).objects, [
    { temperature: 22, humidity: 40 },
    { temperature: -2.5, humidity: 99.5 },
  ]);
});

test('another line is rejected', (t) => {
  t.deepEqual(decodeAll(template, [Buffer.from('T=?\r\n')]).reasons, ['rejected: expected T=<°C>;H=<%>']);
});

test('set/fan becomes a FAN line; other commands and values are refused', (t) => {
  const decoder = decoderOf(template, new CollectingSink());
  const fan = (text: string) => decoder.encodeCommand({ verb: 'set', channel: 'fan', payload: Buffer.from(text) });
  t.deepEqual(fan('80'), { ok: true, payloads: [Buffer.from('FAN 80\r\n')] });
  for (const text of ['101', '-1', 'fast', '']) t.false(fan(text).ok, text);
  t.false(decoder.encodeCommand({ verb: 'set', channel: 'heater', payload: Buffer.from('1') }).ok);
  t.false(decoder.encodeCommand({ verb: 'get', payload: Buffer.alloc(0) }).ok);
});
