// No secret ever leaves the config: a gateway gets one of each kind, is asked everything it can be asked, and every word that
// it says anywhere is searched for them.

import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { driversFor } from '../support/driver-folder.js';
import { brokerFor, brokerTest, gatewayFor, subscriberFor } from '../support/e2e-test.js';
import { eventually } from '../support/eventually.js';
import { ferrule, folderFor } from '../support/ferrule-command.js';
import type { GatewayProcess } from '../support/gateway-process.js';
import { ask } from '../support/http-ask.js';
import { freePort } from '../support/mosquitto.js';
import { startTcpDevice } from '../support/tcp-device.js';

const BASE = 'ferrule/e2e';

/** By what they are. Each text is found nowhere else. */
const SECRETS = {
  'password in mqtt.url': 'SECRETurlpassword',
  'mqtt.password from the environment': 'SECRETenvpassword',
  'http.token': 'SECREThttptoken',
  'key of a driver': 'SECRETapikey',
  'value of !file under a harmless name': 'SECRETfilevalue',
  'value of a variable under a telling name': 'SECRETvariable',
  'password in a URL of a driver': 'SECREToptionurl',
  'token in the query of a URL': 'SECRETquerytoken',
} as const;

/** What the gateway has said, by where. */
type Said = Record<string, string>;

function leaksIn(said: Said, secrets: Readonly<Record<string, string>>): string[] {
  return Object.entries(said).flatMap(([where, text]) =>
    Object.entries(secrets)
      .filter(([, secret]) => text.includes(secret) || text.includes(Buffer.from(secret).toString('base64')))
      .map(([what]) => `${what} is in ${where}`),
  );
}

/** Health, metrics and refusals; each must have said something. */
async function overHttp(t: ExecutionContext, port: number, token: string): Promise<Said> {
  const said: Said = {};
  for (const target of ['/health', '/health/ready', '/health/live', '/metrics', '/nothing']) {
    const { status, body, headers } = await ask(port, target, { token });
    said[`GET ${target}`] = `${status} ${JSON.stringify(headers)} ${body}`;
    said[`GET ${target} without a token`] = (await ask(port, target)).body;
  }
  for (const [where, body] of Object.entries(said)) t.true(body.length > 10, where);
  return said;
}

/** The support bundle, on the screen and as a file. */
async function fromDoctor(
  t: ExecutionContext,
  { dir }: GatewayProcess,
  env: Readonly<Record<string, string>>,
): Promise<Said> {
  const { out, err } = await ferrule(dir, ['doctor', '-o', 'bundle.tar'], env);
  const bundle = readFileSync(path.join(dir, 'bundle.tar'), 'latin1');
  t.true(out.length > 100 && bundle.length > 1000);
  t.true(bundle.includes('e2e'), 'the config is in the bundle');
  return { 'ferrule doctor': out + err, 'the bundle of ferrule doctor': bundle };
}

function fromProcess(gateway: GatewayProcess): Said {
  return { 'the log': gateway.log.map((line) => JSON.stringify(line)).join('\n'), stderr: gateway.stderr };
}

brokerTest(
  'secrets of every kind are in no log, no topic of the bridge, no health, no metric and no bundle',
  async (t) => {
    const broker = await brokerFor(t);
    const device = await startTcpDevice();
    t.teardown(() => device.close());
    const port = await freePort();
    const files = folderFor(t, { 'greeting.txt': SECRETS['value of !file under a harmless name'] });
    const drivers = driversFor(t, {});
    writeFileSync(
      path.join(drivers, 'keen.js'),
      `import { defineDriver, z } from 'ferrule/driver';
export default defineDriver({ kind: 'framed', summary: 'of a test', options: z.looseObject({}), create: () => ({
  decode(frame) { if (String(frame) === 'crash') throw new Error('crashed'); return { text: String(frame) }; } }) });`,
    );
    const config = `gateway: { id: e2e }
mqtt:
  username: me
  url: "mqtt://me:${SECRETS['password in mqtt.url']}@127.0.0.1:${broker.port}"
http: { listen: "127.0.0.1:${port}", token: ${SECRETS['http.token']} }
log: { level: debug }
drivers_dir: ${drivers}
devices:
  scale:
    driver: keen
    link: tcp://127.0.0.1:${device.port}
    options:
      api_key: ${SECRETS['key of a driver']}
      greeting: !file ${path.join(files, 'greeting.txt')}
      password: "\${PASSWORD_OF_A_TEST}"
      url: "https://me:${SECRETS['password in a URL of a driver']}@example.org/x?token=${SECRETS['token in the query of a URL']}"
`;
    const env = {
      FERRULE_MQTT__PASSWORD: SECRETS['mqtt.password from the environment'],
      PASSWORD_OF_A_TEST: SECRETS['value of a variable under a telling name'],
    };
    const gateway = gatewayFor(t, { config, env });
    const subscriber = await subscriberFor(t, { port: broker.port });
    await subscriber.says(`${BASE}/scale/availability`, { state: 'online' });

    (await device.connection()).write('hello\ncrash\n');
    await eventually(() => gateway.log.some(({ msg }) => msg.includes('crashed; restarting')), 'the crash');
    const requests = {
      health_check: {},
      devices: {},
      threads: {},
      'device/get': { id: 'scale' },
      'device/tap': { id: 'scale', mode: 'raw' },
      'device/add': {
        id: 'other',
        config: { driver: 'lines', link: 'nonsense', password: SECRETS['key of a driver'] },
      },
      options: { log_level: 'debug' },
    };
    for (const [request, body] of Object.entries(requests)) {
      await subscriber.client.publishAsync(`${BASE}/bridge/request/${request}`, JSON.stringify(body));
      await subscriber.count(`${BASE}/bridge/response/${request}`, 1);
    }
    // A mistake in each place where a secret stands: it is named without what stands there.
    const broken = config
      .replace('mqtt://me', 'mqtx://me')
      .replace(/token: \S+/, `token: "${SECRETS['http.token']} with spaces"`);
    writeFileSync(path.join(gateway.dir, 'ferrule.yaml'), broken);
    const checked = await ferrule(gateway.dir, ['check'], env);
    t.is(checked.code, 78);
    gateway.signal('SIGHUP');
    await gateway.waitForLog('nothing was changed');
    writeFileSync(path.join(gateway.dir, 'ferrule.yaml'), config);
    gateway.signal('SIGHUP');
    await gateway.waitForLog('reloaded:');

    const said: Said = {
      ...(await overHttp(t, port, SECRETS['http.token'])),
      ...(await fromDoctor(t, gateway, env)),
      'ferrule check': checked.out + checked.err,
    };
    gateway.signal('SIGTERM');
    await gateway.end();
    const own = subscriber.all.filter(({ topic }) => !topic.startsWith(`${BASE}/bridge/request/`));
    for (const { topic, payload } of own) said[topic] = `${said[topic] ?? ''}${payload}\n`;
    Object.assign(said, fromProcess(gateway));
    t.true(`${said[`${BASE}/bridge/info`]}`.includes('***'), 'bridge/info shows the config');
    t.true((said['the log']?.length ?? 0) > 1000);
    t.log(`searched ${Object.keys(said).length} places, ${Object.values(said).join('').length} characters`);
    t.deepEqual(leaksIn(said, SECRETS), []);
  },
);

test.serial('the private key and the password of a broker that cannot be reached are nowhere either', async (t) => {
  const port = await freePort();
  const token = 'SECREThttptoken';
  const secrets = { password: 'SECRETpassword', 'private key': 'SECRETprivatekey', token };
  const pem = (kind: string, content: string): string => `-----BEGIN ${kind}-----\n${content}\n-----END ${kind}-----\n`;
  const config = {
    gateway: { id: 'e2e' },
    mqtt: {
      url: `mqtts://127.0.0.1:${await freePort()}`,
      username: 'me',
      password: secrets.password,
      cert: pem('CERTIFICATE', 'notone'),
      key: pem('PRIVATE KEY', secrets['private key']),
    },
    http: { listen: `127.0.0.1:${port}`, token },
    log: { level: 'debug' },
  };
  const gateway = gatewayFor(t, { config });
  await gateway.waitForLog('trying again until it works');
  await gateway.waitForLog('health and metrics on');
  const said = { ...(await overHttp(t, port, token)), ...(await fromDoctor(t, gateway, {})), ...fromProcess(gateway) };
  t.deepEqual(leaksIn(said, secrets), []);
});

test('the search of this test finds a secret, also in base64', (t) => {
  t.deepEqual(leaksIn({ log: 'x hunter2 y', info: 'aHVudGVyMg==', health: 'ok' }, { password: 'hunter2' }), [
    'password is in log',
    'password is in info',
  ]);
});
