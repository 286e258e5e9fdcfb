// Which request gets which answer.

import test from 'ava';
import { carriesToken } from '../../src/http/bearer-token.js';
import { type RouteOptions, route } from '../../src/http/routes.js';
import { FakeGatewayView, healthFacts } from '../support/gateway-view.js';

const TOKEN = 'correct-horse';

function options(gateway: FakeGatewayView, token?: string): RouteOptions {
  const metrics = { status: 200, headers: { 'content-type': 'text/plain' }, body: 'm 1\n' };
  return { token, report: () => gateway.report(), metrics: () => Promise.resolve(metrics) };
}

const get = (url: string, authorization?: string) => ({ method: 'GET', url, authorization });

test('each path has its answer, with or without a query or a slash at the end', async (t) => {
  const well = options(new FakeGatewayView());
  t.like(await route(get('/health/live'), well), { status: 200, body: '{"live":true}\n' });
  t.like(await route(get('/health/ready'), well), { status: 200, body: '{"ready":true,"degraded":false}\n' });
  t.like(await route(get('/metrics?x=1'), well), { status: 200, body: 'm 1\n' });
  const whole = await route(get('/health/'), well);
  t.like(JSON.parse(whole.body), { live: true, ready: true, degraded: false, devices: { scale: { state: 'online' } } });
  t.is(whole.headers['content-type'], 'application/json');
});

test('a gateway without its broker is live, and not ready for a reason', async (t) => {
  const gateway = new FakeGatewayView();
  gateway.facts = healthFacts({ broker: { state: 'backing-off', reason: 'refused' } });
  t.is((await route(get('/health/live'), options(gateway))).status, 200);
  const { status, body } = await route(get('/health/ready'), options(gateway));
  t.deepEqual([status, JSON.parse(body).reasons], [503, ['broker: backing-off: refused']]);
  t.is((await route(get('/health'), options(gateway))).status, 503);
});

test('a stuck thread is not live', async (t) => {
  const gateway = new FakeGatewayView();
  gateway.facts = healthFacts({ stuck: [{ group: 'cell', thread: 'send', doing: 'writing', busyMs: 200_000 }] });
  const { status, body } = await route(get('/health/live'), options(gateway));
  t.deepEqual([status, JSON.parse(body)], [503, { live: false, reasons: ['cell/send is stuck, writing for 200 s'] }]);
});

test('other paths are 404 and name those there are, other methods 405, HEAD is GET', async (t) => {
  const well = options(new FakeGatewayView());
  for (const url of ['/', '', '/health/livex', '/../health', '//health', '/constructor', '/__proto__', '*'])
    t.is((await route(get(url), well)).status, 404, url);
  t.true((await route(get('/'), well)).body.includes('"/health/live"'));
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'TRACE', 'get', '']) {
    const answer = await route({ ...get('/health'), method }, well);
    t.deepEqual([answer.status, answer.headers.allow], [405, 'GET, HEAD'], method);
  }
  t.is((await route({ ...get('/health/live'), method: 'HEAD' }, well)).status, 200);
});

test('with a token set, who does not send it gets 401 for every path, and learns nothing', async (t) => {
  const guarded = options(new FakeGatewayView(), TOKEN);
  for (const authorization of [undefined, '', 'Bearer', 'Bearer ', `Basic ${TOKEN}`, `Bearer ${TOKEN}x`, TOKEN]) {
    for (const url of ['/health/live', '/metrics', '/nothing']) {
      const answer = await route(get(url, authorization), guarded);
      t.deepEqual([answer.status, answer.headers['www-authenticate']], [401, 'Bearer']);
      t.false(answer.body.includes('live'));
    }
  }
  t.is((await route(get('/health/live', `Bearer ${TOKEN}`), guarded)).status, 200);
  t.is((await route(get('/health/live', `bearer  ${TOKEN}`), guarded)).status, 200);
});

test('a token is compared as a whole, whatever its length', (t) => {
  t.true(carriesToken('Bearer abcdefgh', 'abcdefgh'));
  for (const given of ['Bearer abcdefg', 'Bearer abcdefghi', 'Bearer ABCDEFGH', 'Bearer a b'])
    t.false(carriesToken(given, 'abcdefgh'), given);
});
