// From the words of the config to those of a session and a spool.

import test from 'ava';
import { sessionOptions, spoolOptions } from '../../src/uplink/config-options.js';
import { loadText } from '../support/config-files.js';

function session(mqtt: object) {
  return sessionOptions(loadText(JSON.stringify({ mqtt })).config, undefined);
}

test('user and password may stand in the URL; keys of their own count before', (t) => {
  t.like(session({ url: 'mqtt://me:p%40ss%2F@broker' }), { username: 'me', password: 'p@ss/' });
  t.like(session({ url: 'mqtt://me:100%@broker' }), { username: 'me', password: '100%' });
  t.like(session({ url: 'mqtt://me:old@broker', password: 'new' }), { username: 'me', password: 'new' });
  t.like(session({ url: 'mqtt://me:old@broker', username: 'you', password: 'new' }), {
    username: 'you',
    password: 'new',
  });
  const none = session({ url: 'mqtt://broker' });
  t.deepEqual(['username' in none, 'password' in none], [false, false]);
});

test('an embedded broker has no URL to read them from', (t) => {
  const { config } = loadText('mqtt: { url: embedded }');
  const broker = { url: 'mqtt://127.0.0.1:1883', port: 1883, close: () => Promise.resolve() };
  t.false('username' in sessionOptions(config, broker));
});

test('kept readings are told from live ones by MQTT 5 only: with 3.1.1 they keep their order', (t) => {
  const order = (text: string) => spoolOptions(loadText(text).config, undefined).replay_order;
  t.is(order('mqtt: { version: 5 }'), 'live-first');
  t.is(order('mqtt: { version: 4 }'), 'in-order');
  t.is(order('mqtt: { version: 4 }\nspool: { replay_order: live-first }'), 'live-first');
});
