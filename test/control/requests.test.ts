import test from 'ava';
import { type BridgeControls, bridgeApi } from '../../src/control/bridge-api.js';
import { healthOf } from '../../src/control/health.js';
import { Requests } from '../../src/control/requests.js';
import type { BridgeResponseUp } from '../../src/device/message.js';
import type { IncomingMessage } from '../../src/uplink/incoming-message.js';
import { makeTopics } from '../../src/uplink/topics.js';
import { fc } from '../support/properties.js';
import { RecordingLog } from '../support/recording-log.js';

const BASE = 'ferrule/t';
const ONLINE = { state: 'online', reason: 'connected' } as const;

interface Rig {
  readonly answers: BridgeResponseUp[];
  readonly calls: string[];
  ask(path: string, payload: string | Buffer, more?: Partial<IncomingMessage>): Promise<Record<string, unknown>>;
}

function rig(overrides: Partial<BridgeControls> = {}): Rig {
  const answers: BridgeResponseUp[] = [];
  const calls: string[] = [];
  const controls: BridgeControls = {
    devices: () => [{ name: 'scale', state: 'online' }],
    health: () => healthOf({ isShuttingDown: false, broker: ONLINE, devices: [], dropped: 0 }),
    threads: () => [],
    addDevice: (name, device) => Promise.resolve(void calls.push(`add ${name} ${JSON.stringify(device)}`)),
    removeDevice: (name) => Promise.resolve(name === 'scale' && calls.push(`remove ${name}`) > 0),
    enableDevice: (name, wanted) => Promise.resolve(name === 'scale' && calls.push(`enable ${name} ${wanted}`) > 0),
    restartDevice: (name) => name === 'scale' && calls.push(`restart ${name}`) > 0,
    tapDevice: (id, seconds) => {
      calls.push(`tap ${id} ${seconds}`);
      return Promise.resolve(
        id === 'scale' ? { ok: true, topic: `${BASE}/${id}/tap` } : { ok: false, why: 'no-such-device' },
      );
    },
    setLogLevel: (level) => void calls.push(`level ${level}`),
    reload: () => Promise.resolve({ added: [] }),
    restart: () => void calls.push('restart'),
    ...overrides,
  };
  const requests = new Requests({
    log: new RecordingLog(),
    topics: makeTopics(BASE),
    handlers: bridgeApi(controls),
    respond: (response) => answers.push(response),
  });
  const ask: Rig['ask'] = async (path, payload, more = {}) => {
    const count = answers.length;
    requests.take(message(path, payload, more));
    while (answers.length === count) await new Promise((resolve) => setImmediate(resolve));
    return JSON.parse(answers.at(-1)?.body ?? '');
  };
  return { answers, calls, ask };
}

function message(path: string, payload: string | Buffer, more: Partial<IncomingMessage>): IncomingMessage {
  const topic = `${BASE}/bridge/request/${path}`;
  return { topic, payload: Buffer.from(payload), retain: false, qos: 1, dup: false, ...more };
}

test('a request is answered with its data and its transaction', async (t) => {
  const { ask } = rig();
  t.deepEqual(await ask('health_check', '{"transaction":"7"}'), {
    status: 'ok',
    data: { healthy: true, status: 'ok', broker: 'online', devices: {}, reasons: [], dropped: 0 },
    transaction: '7',
  });
});

test('an unknown path is an error answer that names the nearest one', async (t) => {
  const answer = await rig().ask('device/restrat', '{"transaction":1}');
  t.is(answer.status, 'error');
  t.is(answer.transaction, 1);
  t.regex(String(answer.error), /unknown request "device\/restrat", did you mean "device\/restart"/);
});

for (const [what, payload, words] of [
  ['text that is no JSON', '{"id":', /not JSON/],
  ['a list', '[1]', /expected a JSON object/],
  ['a number', '5', /expected a JSON object/],
  ['a megabyte', Buffer.alloc(1024 * 1024, 0x20), /larger than 65536 bytes/],
] as const) {
  test(`${what} instead of a request is an error answer`, async (t) => {
    const answer = await rig().ask('devices', payload);
    t.is(answer.status, 'error');
    t.regex(String(answer.error), words);
  });
}

test('a device is restarted by its name, in the long and in the short form', async (t) => {
  const { ask, calls } = rig();
  t.is((await ask('device/restart', '{"id":"scale"}')).status, 'ok');
  t.is((await ask('device/restart', '"scale"')).status, 'ok');
  t.deepEqual(calls, ['restart scale', 'restart scale']);
  const answer = await ask('device/restart', '{"id":"../etc"}');
  t.is(answer.error, 'no device "../etc"; there are scale');
});

test('a tap is answered with its topic and its time, a minute if none is asked for', async (t) => {
  const { ask, calls } = rig();
  const answer = await ask('device/tap', '{"id":"scale","transaction":"m1"}');
  t.deepEqual(answer, {
    status: 'ok',
    data: { id: 'scale', topic: `${BASE}/scale/tap`, seconds: 60 },
    transaction: 'm1',
  });
  t.is((await ask('device/tap', '{"id":"scale","seconds":0}')).status, 'ok');
  t.deepEqual(calls, ['tap scale 60', 'tap scale 0']);
});

test('a raw tap is answered with its topic, and with what a recording should know of the device', async (t) => {
  const source = { driver: 'lines', link: 'serial:/dev/ttyUSB0' };
  const modes: string[] = [];
  const { ask } = rig({
    tapDevice: (_id, _seconds, mode) => {
      modes.push(mode);
      return Promise.resolve({ ok: true, topic: 'there', source });
    },
  });
  const answer = await ask('device/tap', '{"id":"scale","mode":"raw"}');
  t.deepEqual(answer.data, { id: 'scale', topic: 'there', seconds: 60, mode: 'raw', source });
  await ask('device/tap', '{"id":"scale"}');
  t.deepEqual(modes, ['raw', 'lines']);
});

for (const [what, request, sentence] of [
  ['of nothing', '{"seconds":5}', /"id" is missing/],
  ['of a device that is not there', '{"id":"scael"}', /^no device "scael"; there are scale$/],
  [
    'longer than ten minutes',
    '{"id":"scale","seconds":601}',
    /"seconds": expected a number from 0 \(stop\) to 600, got 601/,
  ],
  ['for a time in words', '{"id":"scale","seconds":"60"}', /expected a number .*, got "60"/],
  ['for a negative time', '{"id":"scale","seconds":-1}', /expected a number .*, got -1/],
  ['in a mode that is none', '{"id":"scale","mode":"hex"}', /^"mode": expected lines or raw, got "hex"$/],
] as const) {
  test(`a tap ${what} is refused in a sentence`, async (t) => {
    const answer = await rig().ask('device/tap', request);
    t.is(answer.status, 'error');
    t.regex(String(answer.error), sentence);
  });
}

test('a tap of a listener names its connections; one of a device that closes says so', async (t) => {
  const connections = ['cells/a', 'cells/b'];
  const listener = rig({ tapDevice: () => Promise.resolve({ ok: false, why: 'is-listener', connections }) });
  t.regex(String((await listener.ask('device/tap', '"cells"')).error), /cells\/<peer>; open are cells\/a, cells\/b/);
  const closing = rig({ tapDevice: () => Promise.resolve({ ok: false, why: 'closing' }) });
  t.regex(String((await closing.ask('device/tap', '"scale"')).error), /scale is closing/);
});

test('the log level is set by name only', async (t) => {
  const { ask, calls } = rig();
  t.is((await ask('options', '{"log_level":"debug"}')).status, 'ok');
  t.regex(String((await ask('options', '{"log_level":"loud"}')).error), /expected one of debug, info, warn, error/);
  t.deepEqual(calls, ['level debug']);
});

test('a device is added with its config inside or flat, and what is neither is refused', async (t) => {
  const { ask, calls } = rig();
  const device = { driver: 'lines', link: 'tcp://h:1' };
  t.deepEqual((await ask('device/add', JSON.stringify({ id: 'cell', config: device }))).data, { id: 'cell' });
  t.is((await ask('device/add', JSON.stringify({ name: 'cell', ...device }))).status, 'ok');
  const added = `add cell ${JSON.stringify(device)}`;
  t.deepEqual(calls, [added, added]);
  for (const [body, sentence] of [
    [{ id: 'cell', config: [] }, /^"config": expected an object/],
    [{ id: 'cell', config: device, qos: 1 }, /^unknown key "qos" beside "config"/],
    [{ config: device }, /^"id" is missing/],
  ] as const) {
    t.regex(String((await ask('device/add', JSON.stringify(body))).error), sentence);
  }
  t.is(calls.length, 2);
});

test('devices are removed, enabled and disabled by their name; one that is not there is said', async (t) => {
  const { ask, calls } = rig();
  t.deepEqual((await ask('device/remove', '{"id":"scale"}')).data, { id: 'scale' });
  t.deepEqual((await ask('device/enable', '{"id":"scale"}')).data, { id: 'scale', enabled: true });
  t.deepEqual((await ask('device/disable', '{"id":"scale"}')).data, { id: 'scale', enabled: false });
  t.deepEqual(calls, ['remove scale', 'enable scale true', 'enable scale false']);
  for (const path of ['device/remove', 'device/enable', 'device/disable']) {
    t.is((await ask(path, '{"id":"constructor"}')).error, 'no device "constructor"; there are scale');
  }
});

test('a device that is disabled is told from one that is not there', async (t) => {
  const { ask } = rig({ devices: () => [{ name: 'spare', state: 'disabled' }] });
  t.is((await ask('device/restart', '{"id":"spare"}')).error, 'spare is disabled: send device/enable first');
  t.is((await ask('device/tap', '{"id":"spare"}')).error, 'spare is disabled: send device/enable first');
});

for (const [what, payload, words] of [
  ['nested without end', `{"id":"scale","x":${'['.repeat(20_000)}${']'.repeat(20_000)}}`, /nested more than 32 deep/],
  ['whose transaction is nested without end', `{"transaction":${'['.repeat(20_000)}${']'.repeat(20_000)}}`, /nested/],
  ['with a prototype in it', '{"id":"scale","config":{"__proto__":{}}}', /"__proto__" is no key/],
  ['with a number beyond all numbers', '{"id":"scale","seconds":1e999}', /a number in it is too large/],
] as const) {
  test(`a request ${what} is an error answer`, async (t) => {
    const { ask, calls } = rig();
    const answer = await ask('device/add', payload);
    t.is(answer.status, 'error');
    t.regex(String(answer.error), words);
    t.deepEqual(calls, []);
  });
}

test('a gateway of hundreds of devices does not list them all in an error', async (t) => {
  const devices = Array.from({ length: 300 }, (_, i) => ({ name: `d${i}`, state: 'online' }));
  const { error } = await rig({ devices: () => devices }).ask('device/get', '{"id":"x"}');
  t.regex(String(error), /^no device "x"; there are d0, d1, .*d19 and 280 more$/);
});

test('a handler that fails is an error answer, not silence', async (t) => {
  const answer = await rig({ reload: () => Promise.reject(new Error('disk on fire')) }).ask('reload', '');
  t.is(answer.status, 'error');
  t.is(answer.error, 'internal error: disk on fire');
});

test('a retained request does nothing', async (t) => {
  const { ask, calls } = rig();
  t.is((await ask('restart', '', { retain: true })).status, 'error');
  t.deepEqual(calls, []);
});

test('the answer goes to the response topic of the sender, with the correlation data', async (t) => {
  const { ask, answers } = rig();
  await ask('health_check', '', { responseTopic: 'me/answers', correlation: Buffer.from('c') });
  t.deepEqual(answers[0]?.replyTo, { topic: 'me/answers', correlation: Buffer.from('c') });
  await ask('health_check', '', { responseTopic: 'me/#' });
  t.is(answers[1]?.replyTo, undefined);
});

test('whatever is asked, there is exactly one answer, and nothing else happens', async (t) => {
  const path = fc.oneof(
    fc.string(),
    fc.constantFrom('device/get', 'devices', 'options', '__proto__', 'constructor', '+', '#'),
  );
  const payload = fc.oneof(fc.string(), fc.json(), fc.constant('{"__proto__":{"id":"scale"}}'));
  await fc.assert(
    fc.asyncProperty(path, payload, async (path, payload) => {
      const { ask, answers, calls } = rig();
      const answer = await ask(path, payload);
      t.true(answer.status === 'ok' || answer.status === 'error');
      t.is(answers.length, 1);
      t.false(/[+#]/.test(answers[0]?.path ?? ''));
      t.true(
        calls.every((call) => /^(?:level|tap)/.test(call)),
        calls.join(),
      );
    }),
    { numRuns: 300 },
  );
});
