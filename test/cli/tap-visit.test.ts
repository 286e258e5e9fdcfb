import { EventEmitter } from 'node:events';
import test from 'ava';
import type { MqttClient } from 'mqtt';
import { TapVisit } from '../../src/cli/tap-visit.js';
import { makeTopics } from '../../src/uplink/topics.js';
import { FakeClock } from '../support/fake-clock.js';

/** As Node has it for a host with two addresses: the words are in its parts. */
function refusedTwice(): Error {
  const refused = (address: string): Error =>
    Object.assign(new Error(`connect ECONNREFUSED ${address}:1883`), { code: 'ECONNREFUSED' });
  return Object.assign(new AggregateError([refused('::1'), refused('127.0.0.1')]), { code: 'ECONNREFUSED' });
}

test('without a broker behind any address of a name it says what the first one has met', async (t) => {
  const clock = new FakeClock();
  const client = Object.assign(new EventEmitter(), { connected: false });
  const err: string[] = [];
  const visit = new TapVisit({
    client: client as unknown as MqttClient, // no more of it is used without a broker
    url: 'mqtt://localhost:1883',
    topics: makeTopics('ferrule/rd'),
    clock,
    device: 'scale',
    listenTo: [],
    onMessage: () => {},
    onAgreed: () => {},
    onRefused: 'end',
    farewell: 'at-once',
    err: (line) => err.push(line),
  });
  const run = visit.run();
  client.emit('error', refusedTwice());
  await clock.advance(5000);
  t.is(await run, 1);
  t.deepEqual(err, ['no broker at mqtt://localhost:1883: connect ECONNREFUSED ::1:1883']);
});
