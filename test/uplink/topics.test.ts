import test from 'ava';
import { makeTopics } from '../../src/uplink/topics.js';
import { fc } from '../support/properties.js';

const RESERVED = ['bridge', 'set', 'get', 'write', 'response', 'availability', 'dead_letter', 'tap', 'health'];
const segment = fc
  .string({ minLength: 1, maxLength: 8 })
  .filter((text) => !/[+#/\0]/.test(text) && !RESERVED.includes(text));
const device = fc.array(segment, { minLength: 1, maxLength: 4 }).map((segments) => segments.join('/'));
const channel = fc.oneof(segment, fc.constantFrom(...RESERVED));
const topics = makeTopics('ferrule/line-3');

test('every device has its topics below the base', (t) => {
  t.is(topics.readings('hall/scale'), 'ferrule/line-3/hall/scale');
  t.is(topics.availability('scale'), 'ferrule/line-3/scale/availability');
  t.is(topics.response('scale'), 'ferrule/line-3/scale/response');
  t.is(topics.deadLetter('scale'), 'ferrule/line-3/scale/dead_letter');
  t.is(topics.tap('sensors/10.0.0.7-4001'), 'ferrule/line-3/sensors/10.0.0.7-4001/tap');
  t.is(topics.bridge.state, 'ferrule/line-3/bridge/state');
  t.is(topics.bridge.response('device/get'), 'ferrule/line-3/bridge/response/device/get');
});

test('the command filters are exact, never a whole tree', (t) => {
  t.deepEqual(topics.commandFilters('scale'), [
    'ferrule/line-3/scale/set',
    'ferrule/line-3/scale/set/+',
    'ferrule/line-3/scale/get',
    'ferrule/line-3/scale/get/+',
    'ferrule/line-3/scale/write',
  ]);
});

test('a command topic reads back as what it was made from, whatever the names', (t) => {
  const verb = fc.constantFrom('set' as const, 'get' as const);
  fc.assert(
    fc.property(device, verb, fc.option(channel, { nil: undefined }), (name, word, part) => {
      const topic = `ferrule/line-3/${name}/${word}${part === undefined ? '' : `/${part}`}`;
      const expected = { device: name, verb: word, ...(part === undefined ? {} : { channel: part }) };
      t.deepEqual(topics.parseCommand(topic), expected);
    }),
  );
});

test('a write topic reads back as its device', (t) => {
  fc.assert(
    fc.property(device, (name) => {
      t.deepEqual(topics.parseCommand(`ferrule/line-3/${name}/write`), { device: name, verb: 'write' });
    }),
  );
});

test('topics that are no command are told apart', (t) => {
  for (const topic of [
    'x/set',
    'ferrule/line-3/set',
    'ferrule/line-3/scale',
    'ferrule/line-3/scale/set/',
    'ferrule/line-3//set',
  ]) {
    t.is(topics.parseCommand(topic), undefined, topic);
  }
  t.is(topics.parseCommand('ferrule/line-3/bridge/request/set'), undefined);
});

test('a request to the gateway gives its path', (t) => {
  t.is(topics.parseRequest('ferrule/line-3/bridge/request/device/get'), 'device/get');
  t.is(topics.parseRequest('ferrule/line-3/scale/set'), undefined);
});

test('a base topic with wildcards or a slash at its ends is refused with its name', (t) => {
  for (const base of ['', 'a/#', 'a/+/b', '/a', 'a/', '$SYS']) {
    t.throws(() => makeTopics(base), { code: 'bad-base-topic' });
  }
});
