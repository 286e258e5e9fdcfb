// A session through TLS: a real mosquitto with certificates made for the test, good and bad ones; WebSockets too.

import test, { type ExecutionContext } from 'ava';
import type { BrokerTls } from '../../src/uplink/broker-socket.js';
import { openSession } from '../../src/uplink/open-session.js';
import type { SessionError } from '../../src/uplink/session-error.js';
import { type Authority, authorityFor, type Certificate, pem, skipWithoutOpenssl } from '../support/certificates.js';
import { eventually } from '../support/eventually.js';
import { accepts, freePort, type Mosquitto, skipWithoutMosquitto, startMosquitto } from '../support/mosquitto.js';
import { rawServerFor } from '../support/raw-server.js';
import { openRig, type SessionRig, sessionOptions } from '../support/session-rig.js';

const NO_HOOKS = { onMessage() {}, onAck() {}, onAcksRead() {}, onDrain() {}, onLost() {} };
const skip = skipWithoutMosquitto ?? skipWithoutOpenssl;

function tlsTest(title: string, body: (t: ExecutionContext) => Promise<void>): void {
  if (skip === undefined) test.serial(title, body);
  else test.skip(`${title} (${skip})`, () => {});
}

async function brokerWith(t: ExecutionContext, { cert, key }: Certificate, more = ''): Promise<Mosquitto> {
  const broker = await startMosquitto({ config: `allow_anonymous true\ncertfile ${cert}\nkeyfile ${key}\n${more}` });
  t.teardown(() => broker.stop());
  return broker;
}

async function refusal(port: number, tls: BrokerTls, scheme = 'mqtts'): Promise<SessionError> {
  const options = sessionOptions(port, { url: `${scheme}://localhost:${port}`, tls });
  try {
    (await openSession(options, NO_HOOKS, new AbortController().signal)).destroy();
  } catch (error) {
    return error as SessionError; // openSession promises that
  }
  throw new Error('a session was opened');
}

/** A session that works: what it publishes comes back. */
async function works(t: ExecutionContext, rig: SessionRig): Promise<void> {
  t.deepEqual(await rig.session.subscribe(['echo']), []);
  rig.session.writePackets(Buffer.from(`3008${'0004'}${Buffer.from('echo').toString('hex')}0041`, 'hex'), () => {});
  await eventually(() => rig.messages.length === 1, 'the echo');
  t.is(rig.messages[0]?.payload.toString(), 'A');
  await rig.session.end();
}

const secure = (authority: Authority): BrokerTls => ({ ca: pem(authority.ca) });

tlsTest('TLS: a certificate of our own authority is accepted when that is named', async (t) => {
  const authority = authorityFor(t);
  const { port } = await brokerWith(t, authority.sign('broker'));
  await works(t, await openRig(sessionOptions(port, { url: `mqtts://localhost:${port}`, tls: secure(authority) })));
});

tlsTest('TLS: each bad certificate is refused with the sentence that leads to the cause', async (t) => {
  const authority = authorityFor(t);
  const stranger = authorityFor(t, 'Somebody else');
  for (const [what, certificate, tls, words] of [
    ['authority not named', authority.sign('broker'), {}, /certificate cannot be verified.*mqtt\.ca/],
    ['another authority', stranger.sign('broker'), secure(authority), /certificate cannot be verified.*mqtt\.ca/],
    ['expired', authority.sign('broker', { days: -1 }), secure(authority), /has expired.*clock of this machine/],
    [
      'not yet valid',
      authority.sign('broker', { from: 2, days: 5 }),
      secure(authority),
      /not valid yet.*clock of this machine/,
    ],
    ['another name', authority.sign('broker', { names: 'DNS:other' }), secure(authority), /for another name/],
  ] as const) {
    const broker = await brokerWith(t, certificate);
    const error = await refusal(broker.port, tls);
    t.is(error.trouble, 'tls', what);
    t.regex(error.message, words, what);
    await broker.stop();
  }
});

tlsTest('TLS: a broker that wants a client certificate says so, and takes the right one', async (t) => {
  const authority = authorityFor(t);
  const { port } = await brokerWith(t, authority.sign('broker'), `cafile ${authority.ca}\nrequire_certificate true`);
  const missing = await refusal(port, secure(authority));
  t.is(missing.trouble, 'tls');
  t.regex(missing.message, /wants a client certificate; name one in mqtt\.cert and mqtt\.key/);
  const strange = authorityFor(t, 'Somebody else').sign('gateway');
  const wrong = await refusal(port, { ...secure(authority), cert: pem(strange.cert), key: pem(strange.key) });
  t.is(wrong.trouble, 'tls');
  t.regex(wrong.message, /does not know the authority of our client certificate; check mqtt\.cert/);
  const { cert, key } = authority.sign('gateway');
  const tls = { ...secure(authority), cert: pem(cert), key: pem(key) };
  await works(t, await openRig(sessionOptions(port, { url: `mqtts://localhost:${port}`, tls })));
});

tlsTest('TLS: a key that does not belong to the certificate is told before anything is sent', async (t) => {
  const authority = authorityFor(t);
  const [one, other] = [authority.sign('one'), authority.sign('other')];
  const { port } = await brokerWith(t, authority.sign('broker'));
  const error = await refusal(port, { ...secure(authority), cert: pem(one.cert), key: pem(other.key) });
  t.is(error.trouble, 'tls');
  t.regex(error.message, /mqtt\.key.*mqtt\.cert/);
});

tlsTest('WebSockets: ws and wss of mosquitto work; a certificate that is not ours is refused in words', async (t) => {
  const authority = authorityFor(t);
  const { cert, key } = authority.sign('broker');
  const [plain, secured] = [await freePort(), await freePort()];
  // mosquitto 2.0.11 opens WebSockets only beside a plain listener, and not on an address.
  const config = `listener ${plain}\nprotocol websockets\nlistener ${secured}\nprotocol websockets\ncertfile ${cert}\nkeyfile ${key}`;
  const broker = await startMosquitto({ config: `allow_anonymous true\n${config}` });
  t.teardown(() => broker.stop());
  for (const port of [plain, secured]) await eventually(() => accepts(port), 'the WebSockets of mosquitto');
  await works(t, await openRig(sessionOptions(plain, { url: `ws://localhost:${plain}/mqtt` })));
  await works(
    t,
    await openRig(sessionOptions(secured, { url: `wss://localhost:${secured}/mqtt`, tls: secure(authority) })),
  );
  const error = await refusal(secured, {}, 'wss');
  t.is(error.trouble, 'tls');
  t.regex(error.message, /certificate cannot be verified/);
});

tlsTest('TLS: mqtt:// to a TLS port, and mqtts:// to a plain one, are told with the other scheme', async (t) => {
  const authority = authorityFor(t);
  const { port } = await brokerWith(t, authority.sign('broker'));
  t.regex((await refusal(port, {}, 'mqtt')).message, /TLS \(mqtts:\/\/\)/);
  const plain = await startMosquitto();
  t.teardown(() => plain.stop());
  const error = await refusal(plain.port, secure(authority));
  t.regex(error.message, /mqtt:\/\//);
  const silent = await rawServerFor(t, () => {});
  const options = sessionOptions(silent, { url: `mqtts://localhost:${silent}`, connectTimeoutMs: 500 });
  const waited = await t.throwsAsync(openSession(options, NO_HOOKS, new AbortController().signal));
  t.regex(waited?.message ?? '', /within 0\.5 s/);
});
