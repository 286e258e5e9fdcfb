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
  /** What the gateway answers; undefined: nothing. */
  answer: object | undefined = { status: 'ok', data: {} };
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
    if (this.answer === undefined) return;
    const { transaction } = JSON.parse(request);
    const answer = JSON.stringify({ ...this.answer, transaction });
    this.emit('message', topic.replace('/request/', '/response/'), Buffer.from(answer));
  }

  /** MQTT.js says so with each attempt that fails, too. */
  lose(): void {
    this.connected = false;
    this.emit('close');
  }

  /** What the broker says of the gateway: by itself, or by its last will. */
  tellState(state: 'online' | 'offline'): void {
    this.emit('message', 'ferrule/rd/bridge/state', Buffer.from(JSON.stringify({ state })));
  }

  end(): void {}
}

function visitOf(
  client: FakeClient,
  onRefused: 'wait' | 'end' = 'wait',
): { visit: TapVisit; clock: FakeClock; err: string[] } {
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
    onRefused,
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

const LOST = 'the connection to the broker is lost: nothing is seen of scale until it is back';
const OFFLINE = 'the gateway below ferrule/rd is offline, says its broker: nothing is seen of scale until it is back';
const SILENT = 'the gateway below ferrule/rd has not answered for 5000 ms: nothing is seen of scale until it is back';
const BACK = 'back: scale is seen again';

test('a broker that goes away during a visit is told once, and once that it is back', async (t) => {
  const client = new FakeClient();
  const { visit, clock, err } = visitOf(client, 'end');
  const run = visit.run();
  client.connect();
  for (let attempt = 0; attempt < 3; attempt += 1) client.lose();
  await clock.advance(60_000);
  t.deepEqual(err, [LOST]);
  client.connect();
  t.deepEqual(err, [LOST, BACK]);
  client.lose();
  visit.end(0);
  t.deepEqual([await run, err], [0, [LOST, BACK, LOST]]);
});

test('a gateway that goes offline during a visit is told once, and asked again when it is online', async (t) => {
  const client = new FakeClient();
  const { visit, err } = visitOf(client, 'end');
  const run = visit.run();
  client.connect();
  client.tellState('online');
  t.deepEqual(err, []);
  client.tellState('offline');
  client.tellState('offline');
  t.deepEqual(err, [OFFLINE]);
  client.answer = { status: 'error', error: 'scale is just being changed: send it again' };
  client.tellState('online');
  t.deepEqual(err.slice(1), ['scale is just being changed: send it again; trying again']);
  client.answer = { status: 'ok', data: {} };
  client.tellState('online');
  t.deepEqual(err.slice(2), [BACK]);
  visit.end(0);
  t.is(await run, 0);
});

test('a broker that is back without its gateway is told, too', async (t) => {
  const client = new FakeClient();
  const { visit, clock, err } = visitOf(client);
  const run = visit.run();
  client.connect();
  client.lose();
  client.answer = undefined;
  client.connect();
  client.tellState('offline');
  await clock.advance(60_000);
  t.deepEqual(err, [LOST, OFFLINE]);
  visit.end(0);
  await run;
  client.lose(); // there is nobody to take the tap back from
  await visit.leave();
  t.is(clock.pending, 0);
});

test('a gateway that does not answer any more during a visit is told once, and that it does again', async (t) => {
  const client = new FakeClient();
  const { visit, clock, err } = visitOf(client);
  const run = visit.run();
  client.connect();
  client.answer = undefined;
  await clock.advance(60_000);
  t.deepEqual(err, [SILENT]);
  client.answer = { status: 'ok', data: {} };
  await clock.advance(20_000);
  t.deepEqual(err, [SILENT, BACK]);
  visit.end(0);
  t.is(await run, 0);
});

test('who leaves says nothing of the connection that it ends', async (t) => {
  const client = new FakeClient();
  const { visit, clock, err } = visitOf(client);
  const run = visit.run();
  client.connect();
  visit.end(0);
  await run;
  const left = visit.leave();
  client.lose();
  await clock.advance(3000);
  await left;
  t.deepEqual(err, []);
});
