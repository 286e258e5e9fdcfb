import test from 'ava';
import jsonLines from '../../devices/json-lines.js';
import { decodeAll, decoderOf, driverContract } from '../contracts/driver.js';
import { CollectingSink } from '../support/collecting-sink.js';
import { driverFixture } from '../support/driver-fixture.js';

const stream = driverFixture('sketch.ndjson');

driverContract(jsonLines, { name: 'sketch.ndjson', stream });
driverContract(jsonLines, { name: 'sketch.ndjson, two fields', stream, options: { fields: ['temperature', 'ok'] } });

test('each object is published; blank lines are not', (t) => {
  const { objects, junked } = decodeAll(jsonLines, [stream]);
  t.deepEqual(objects, [
    { temperature: 21.5, unit: '°C' },
    { rejected: 'by the grader' },
    { nested: { a: [1, 2, { b: null }] }, ok: true },
    {},
  ]);
  t.deepEqual(junked, []);
});

test('fields keeps what it names, and an object with none of them gives no reading', (t) => {
  const { objects } = decodeAll(jsonLines, [stream], { fields: ['temperature', 'ok', 'toString'] });
  t.deepEqual(objects, [{ temperature: 21.5 }, { ok: true }]);
});

const rejections: readonly [string, RegExp][] = [
  ['{"a":1', /^rejected: not JSON \(.*JSON.*\): "{\\"a\\":1"$/],
  ['boot v1.2', /^rejected: not JSON \(.*\): "boot v1.2"$/],
  ['42', /JSON, but a number, not an object: "42"/],
  ['[1]', /JSON, but a list/],
  ['null', /JSON, but null/],
  ['"x"', /JSON, but a string/],
];

for (const [line, reason] of rejections) {
  test(`${line} is rejected with a reason and a snippet`, (t) => {
    const { objects, reasons } = decodeAll(jsonLines, [Buffer.from(`${line}\n`)]);
    t.deepEqual(objects, []);
    t.is(reasons.length, 1);
    t.regex(reasons[0] ?? '', reason);
  });
}

function sent(payload: string, channel?: string) {
  const decoder = decoderOf(jsonLines, new CollectingSink());
  const command = {
    verb: 'set',
    payload: Buffer.from(payload),
    ...(channel === undefined ? {} : { channel }),
  } as const;
  const encoded = decoder.encodeCommand(command);
  return encoded.ok ? encoded.payloads.join('') : encoded.reason;
}

test('set takes JSON and sends it as one line', (t) => {
  t.is(sent('{\n  "led": true,\n  "name": "größe"\n}'), '{"led":true,"name":"größe"}\n');
});

test('set with anything else is refused', (t) => {
  t.regex(sent('led on'), /^the payload of set must be JSON \(.*\): "led on"$/);
  t.regex(sent(''), /^the payload of set must be JSON/);
});

test('set/<channel> sends an object of one value: JSON if it is JSON, else text', (t) => {
  t.is(sent('128', 'dim'), '{"dim":128}\n');
  t.is(sent('on', 'led'), '{"led":"on"}\n');
  t.is(sent('[1, 2]', '__proto__'), '{"__proto__":[1,2]}\n');
});

test('get is refused', (t) => {
  const decoder = decoderOf(jsonLines, new CollectingSink());
  t.false(decoder.encodeCommand({ verb: 'get', payload: Buffer.alloc(0) }).ok);
});
