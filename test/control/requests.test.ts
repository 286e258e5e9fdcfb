import test from 'ava';
import fc from 'fast-check';
import { type BridgeControls, bridgeApi } from '../../src/control/bridge-api.js';
import { Requests } from '../../src/control/requests.js';
import type { BridgeResponseUp } from '../../src/device/message.js';
import type { IncomingMessage } from '../../src/uplink/incoming-message.js';
import { makeTopics } from '../../src/uplink/topics.js';
import { RecordingLog } from '../support/recording-log.js';

const BASE = 'ferrule/t';

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
    threads: () => [],
    restartDevice: (name) => name === 'scale' && calls.push(`restart ${name}`) > 0,
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
    data: { healthy: true },
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

test('the log level is set by name only', async (t) => {
  const { ask, calls } = rig();
  t.is((await ask('options', '{"log_level":"debug"}')).status, 'ok');
  t.regex(String((await ask('options', '{"log_level":"loud"}')).error), /expected one of debug, info, warn, error/);
  t.deepEqual(calls, ['level debug']);
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
      t.true(calls.every((call) => call.startsWith('level')));
    }),
    { numRuns: 300 },
  );
});
