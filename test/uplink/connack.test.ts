import test from 'ava';
import { NO_GREETING, readGreeting } from '../../src/uplink/connack.js';

const ASKED = { keepaliveSeconds: 30, clientId: 'me', sessionExpirySeconds: 3600 };

test('a CONNACK without properties means no limits and nothing to say', (t) => {
  const expected = { receiveMaximum: 65_535, maximumPacketSize: Number.POSITIVE_INFINITY, topicAliasMaximum: 0 };
  t.deepEqual(readGreeting({ sessionPresent: true }, ASKED), {
    limits: { ...expected, sessionPresent: true },
    takesWildcards: true,
    notes: [],
  });
  t.deepEqual(NO_GREETING.limits, { ...expected, sessionPresent: false });
});

test('limits are read, and what is as asked for is not worth a note', (t) => {
  const properties = { receiveMaximum: 20, maximumPacketSize: 5000, serverKeepAlive: 30, sessionExpiryInterval: 3600 };
  const greeting = readGreeting({ properties }, ASKED);
  t.like(greeting.limits, { receiveMaximum: 20, maximumPacketSize: 5000 });
  t.is(greeting.restrictions, undefined);
  t.deepEqual(greeting.notes, []);
});

test('a broker that keeps sessions for less time than asked for says so', (t) => {
  t.deepEqual(readGreeting({ properties: { sessionExpiryInterval: 60 } }, ASKED).notes, [
    'the broker keeps our session 60 s instead of mqtt.session_expiry: 3600 s',
  ]);
});

test('either restriction is told apart', (t) => {
  t.deepEqual(readGreeting({ properties: { maximumQoS: 0 } }, ASKED).restrictions, { noQos1: true, noRetain: false });
  t.deepEqual(readGreeting({ properties: { retainAvailable: false } }, ASKED).restrictions, {
    noQos1: false,
    noRetain: true,
  });
});
