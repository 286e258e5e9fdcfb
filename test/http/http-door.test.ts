// The server as the config has it: not before devices and broker had their turn, and never two of them.

import test, { type ExecutionContext } from 'ava';
import { HttpDoor } from '../../src/http/http-door.js';
import { eventually } from '../support/eventually.js';
import { FakeClock } from '../support/fake-clock.js';
import { FakeGatewayView } from '../support/gateway-view.js';
import { ask } from '../support/http-ask.js';
import { RecordingLog } from '../support/recording-log.js';

const ANYWHERE = { listen: '127.0.0.1:0' };
const ALSO_ANYWHERE = { listen: '127.0.0.1:0', token: 'correct-horse' };

function doorFor(t: ExecutionContext) {
  const clock = new FakeClock();
  const log = new RecordingLog();
  const door = new HttpDoor({ clock, log, gateway: new FakeGatewayView() });
  t.teardown(() => door.close());
  /** Ports that it has listened on, oldest first. */
  const ports = (): string[] =>
    log.matching('health and metrics on').map(({ fields }) => String(fields.listen).replace(/^.*:/, ''));
  return { clock, door, ports };
}

test('a gateway that starts serves HTTP after a quarter of a second', async (t) => {
  const { clock, door, ports } = doorFor(t);
  door.applySoon(ANYWHERE);
  await clock.advance(249);
  t.is(ports().length, 0);
  await clock.advance(1);
  await eventually(() => ports().length === 1, 'the server');
});

test('other settings that come meanwhile are the ones that hold', async (t) => {
  const { clock, door, ports } = doorFor(t);
  door.applySoon(ANYWHERE);
  await door.apply(false);
  await clock.advance(1000);
  await door.apply(ALSO_ANYWHERE);
  await eventually(() => ports().length === 1, 'the server');
  await clock.advance(1000);
  t.is(ports().length, 1);
});

test('settings that follow each other at once are applied one after the other, and the last hold', async (t) => {
  const { door, ports } = doorFor(t);
  await Promise.all([door.apply(ANYWHERE), door.apply(ALSO_ANYWHERE), door.apply(ANYWHERE)]);
  await eventually(() => ports().length > 0, 'the server');
  for (const port of ports().slice(0, -1)) await t.throwsAsync(ask(Number(port), '/health'), { code: 'ECONNREFUSED' });
  t.is((await ask(Number(ports().at(-1)), '/health')).status, 200);
});

test('one that is closed before its time never serves', async (t) => {
  const { clock, door, ports } = doorFor(t);
  door.applySoon(ANYWHERE);
  await door.close();
  await clock.advance(1000);
  await door.apply(ANYWHERE);
  t.is(ports().length, 0);
});
