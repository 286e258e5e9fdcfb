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
  const client = new FakeClient();
  const { visit, clock, err } = visitOf(client);
  const run = visit.run();
  client.emit('error', refusedTwice());
  await clock.advance(5000);
  t.is(await run, 1);
  t.deepEqual(err, ['no broker at mqtt://localhost:1883: connect ECONNREFUSED ::1:1883']);
});

/** A connection whose SUBSCRIBE ends as the test says, to a gateway that agrees to everything. */
class FakeClient extends EventEmitter {
  connected = false;
  requests = 0;
  #trouble: Error | null = null;

  /** `trouble`: with what each SUBSCRIBE fails from now on. */
  connect(trouble: Error | null = null): void {
    this.connected = true;
    this.#trouble = trouble;
    this.emit('connect');
  }

  subscribe(_topics: readonly string[], _options: object, done: (error: Error | null) => void): void {
    done(this.#trouble);
  }

  publish(topic: string, request: string): void {
    this.requests += 1;
    const { transaction } = JSON.parse(request);
    const answer = JSON.stringify({ status: 'ok', data: {}, transaction });
    this.emit('message', topic.replace('/request/', '/response/'), Buffer.from(answer));
  }

  end(): void {}
}

function visitOf(client: FakeClient): { visit: TapVisit; clock: FakeClock; err: string[] } {
  const clock = new FakeClock();
  const err: string[] = [];
  const visit = new TapVisit({
    client: client as unknown as MqttClient, // no more of it is used
    url: 'mqtt://localhost:1883',
    topics: makeTopics('ferrule/rd'),
    clock,
    device: 'scale',
    listenTo: [],
    onMessage: () => {},
    onAgreed: () => {},
    onRefused: 'wait',
    farewell: 'last-word',
    err: (line) => err.push(line),
  });
  return { visit, clock, err };
}

test('a connection that is lost again while it subscribes does not end a visit that is under way', async (t) => {
  const client = new FakeClient();
  const { visit, err } = visitOf(client);
  const run = visit.run();
  client.connect();
  t.is(visit.state, 'agreed');
  client.connect(new Error('Connection closed')); // as MQTT.js says it
  client.connect();
  t.is(client.requests, 2);
  visit.end(0);
  t.deepEqual([await run, err], [0, []]);
});

test('a broker that does not let it subscribe any more ends the visit, and is quoted', async (t) => {
  const client = new FakeClient();
  const { visit, err } = visitOf(client);
  const run = visit.run();
  client.connect();
  client.connect(Object.assign(new Error('Subscribe error: Not authorized'), { code: 135 }));
  t.is(await run, 1);
  t.deepEqual(err, ['the broker does not let us subscribe: Subscribe error: Not authorized']);
});
