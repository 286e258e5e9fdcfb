// Whatever is sent to the bridge API of the real process: each request has exactly one answer, with its transaction; the
// process lives; what it keeps is always whole; and the device next door loses nothing. Longer with FERRULE_SOAK=1.

import { readdirSync } from 'node:fs';
import { parseChanges } from '../../src/config/remote-changes.js';
import { type Answer, BASE, BridgeRig } from '../support/bridge-rig.js';
import { brokerTest } from '../support/e2e-test.js';
import { eventually } from '../support/eventually.js';
import { startNeighbour } from '../support/neighbour.js';
import { fc } from '../support/properties.js';
import { allowForSoak, repeats } from '../support/soak.js';

const RUNS = repeats(150, 3000);

/** Every path but those that end the process, and some that are none. */
const paths = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('device/add', 'device/remove', 'device/enable', 'device/disable') },
  {
    weight: 2,
    arbitrary: fc.constantFrom('device/get', 'device/restart', 'device/tap', 'devices', 'threads', 'options'),
  },
  { weight: 1, arbitrary: fc.constantFrom('reload', 'health_check') },
  {
    weight: 1,
    arbitrary: fc.constantFrom('device/explode', '__proto__', 'constructor', '..', 'device/../restart', '/', 'ü'),
  },
  {
    weight: 1,
    arbitrary: fc.string({ unit: 'grapheme', maxLength: 20 }).map((text) => text.replaceAll(/[+#\0]/g, '-')),
  },
);

const names = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('scale', 'a', 'b', 'hall/c') },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      '../x',
      'a/../../etc',
      '__proto__',
      'constructor',
      'a+',
      '#',
      'a\0',
      '',
      'set',
      '$SYS',
      ' ',
    ),
  },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 300 }) },
);

const odd = fc.oneof(
  fc.jsonValue(),
  fc.constantFrom<unknown>(null, -1, 1e308, '', '\0', [], {}, true, 'x'.repeat(5000), 2 ** 53),
);

const devices = fc.record(
  {
    driver: fc.oneof(
      { weight: 5, arbitrary: fc.constantFrom('lines', 'raw', 'json-lines') },
      { weight: 1, arbitrary: odd },
    ),
    link: fc.oneof(
      {
        weight: 4,
        arbitrary: fc.constantFrom(
          'tcp://127.0.0.1:1',
          'tcp-listen://127.0.0.1:0',
          'serial:/dev/null/x',
          'tcp-listen://127.0.0.1:1',
        ),
      },
      {
        weight: 2,
        arbitrary: fc.record(
          { type: fc.constantFrom('serial', 'tcp', 'usb', 'x'), path: odd, port: odd },
          { requiredKeys: [] },
        ),
      },
      { weight: 1, arbitrary: odd },
    ),
    options: odd,
    framing: odd,
    enabled: fc.oneof(fc.boolean(), odd),
    qos: odd,
    reconnect: odd,
  },
  { requiredKeys: ['driver', 'link'] },
);

const transactions = fc.oneof(
  fc.string(),
  fc.integer(),
  fc.constantFrom<unknown>(null, true, '', { a: [1] }, 'x'.repeat(1000)),
);

const bodies = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record(
      { id: names, config: devices, transaction: transactions },
      { requiredKeys: ['id', 'transaction'] },
    ),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      id: fc.oneof(names, odd),
      transaction: transactions,
      seconds: odd,
      log_level: odd,
      mode: odd,
    }),
  },
  { weight: 1, arbitrary: fc.dictionary(fc.string(), odd).map((body) => ({ ...body, transaction: 7 })) },
);

const payloads = fc.oneof(
  { weight: 6, arbitrary: bodies.map((body) => ({ text: JSON.stringify(body), transaction: body.transaction })) },
  {
    weight: 1,
    arbitrary: fc
      .oneof(
        fc.string({ unit: 'binary' }),
        fc.json(),
        fc
          .integer({ min: 33, max: 30_000 })
          .map((depth) => `{"id":"a","config":${'['.repeat(depth)}${']'.repeat(depth)}}`),
        fc.constantFrom(
          '{"id":"a","config":{"__proto__":{"driver":"lines"}}}',
          '{"id":1e999}',
          '{"transaction":1',
          '\0',
        ),
      )
      .map((text) => ({ text, transaction: undefined })),
  },
);

brokerTest('each of many random requests has one answer, and nobody else notices', async (t) => {
  allowForSoak(t);
  const rig = await BridgeRig.start(t);
  const neighbour = await startNeighbour(t);
  const { driver, link } = neighbour.device;
  await rig.reload(rig.config(`  next-door: { driver: ${driver}, link: "${link}" }\n`));
  await neighbour.talk();

  let asked = 0;
  await fc.assert(
    fc.asyncProperty(paths, payloads, async (path, { text, transaction }) => {
      fc.pre(path !== 'restart' && !text.includes('next-door'));
      asked += 1;
      const answer = await rig.ask(path, text);
      t.true(answer.status === 'ok' || (answer.status === 'error' && (answer.error ?? '') !== ''), text.slice(0, 200));
      if (transaction !== undefined) t.deepEqual(answer.transaction, transaction);
      t.true(rig.kept === undefined || parseChanges(rig.kept).ok);
    }),
    { numRuns: RUNS, interruptAfterTimeLimit: 10 * 60_000 },
  );
  await rig.ask('options', { log_level: 'info' });
  for (let i = 0; i < asked; i += 1) t.is(rig.subscriber.on(`me/answers/${i + 1}`).length, 1); // 0: the reload
  await neighbour.mustBeWhole(t, rig.subscriber, `${BASE}/next-door`);
  t.deepEqual(readdirSync(rig.gateway.dir), ['ferrule.yaml'], 'no name has become a file');
  t.deepEqual(
    readdirSync(rig.dataDir).filter((name) => !['devices.json', 'spool'].includes(name)),
    [],
  );
  t.log(`${asked} requests, ${(await rig.devices()).length} devices at the end`);

  const listed = (await rig.devices()).map(({ name, state }) => [name, state === 'disabled']);
  await rig.restart(rig.config(`  next-door: { driver: ${driver}, link: "${link}" }\n`));
  t.deepEqual(
    (await rig.devices()).map(({ name, state }) => [name, state === 'disabled']),
    listed,
    'what was kept is what there was',
  );
});

brokerTest('a flood of requests is answered one by one, and a megabyte is refused', async (t) => {
  const rig = await BridgeRig.start(t);
  const { client } = rig.subscriber;
  const topic = 'me/flood';
  const count = 500;
  for (let i = 0; i < count; i += 1) {
    const body = i % 50 === 0 ? Buffer.alloc(1024 * 1024, 0x7b) : JSON.stringify({ id: 'scale', transaction: i });
    client.publish(`${BASE}/bridge/request/device/get`, body, { qos: 1, properties: { responseTopic: topic } });
  }
  await rig.subscriber.count(topic, count, 30_000);
  const answers = rig.subscriber.texts(topic).map((text) => JSON.parse(text) as Answer);
  t.is(answers.filter(({ status }) => status === 'ok').length, count - 10);
  t.true(
    answers
      .filter(({ status }) => status === 'error')
      .every(({ error }) => /larger than 65536 bytes/.test(error ?? '')),
  );
  const transactions = answers.flatMap(({ transaction }) => (typeof transaction === 'number' ? [transaction] : []));
  t.is(new Set(transactions).size, count - 10);
  await eventually(async () => (await rig.ask('health_check', {})).status === 'ok', 'the gateway to answer');
  t.is(rig.scale.accepted, 1);
});
