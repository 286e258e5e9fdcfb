// Devices that call a listener and say who they are: from the first line on the wire to the topics, a command, and a device that
// calls again before anybody has noticed that its old connection is dead.

import { once } from 'node:events';
import net from 'node:net';
import type { ExecutionContext } from 'ava';
import { brokerFor, brokerTest, gatewayFor, subscriberFor } from '../support/e2e-test.js';
import { eventually } from '../support/eventually.js';

const TRACKERS = 'ferrule/e2e/trackers';

async function callerFor(t: ExecutionContext, port: number): Promise<net.Socket> {
  const socket = net.connect(port, '127.0.0.1');
  t.teardown(() => void socket.destroy());
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

brokerTest(
  'trackers are called what they log in as; one that calls again keeps its place, a stranger gets none',
  async (t) => {
    const broker = await brokerFor(t);
    const subscriber = await subscriberFor(t, { port: broker.port });
    const link = { type: 'tcp-listen', port: 0, peer: 'first-frame', peer_pattern: '^ID:(\\w+)' };
    const gateway = gatewayFor(t, {
      config: {
        gateway: { id: 'e2e' },
        mqtt: { url: `mqtt://127.0.0.1:${broker.port}` },
        devices: { trackers: { driver: 'lines', link } },
      },
    });
    const port = Number(
      String((await gateway.waitForLog('listening on')).listen)
        .split(':')
        .at(-1),
    );

    const old = await callerFor(t, port);
    old.write('ID:4711\n12.5\n');
    await subscriber.count(`${TRACKERS}/4711`, 2);
    t.deepEqual(subscriber.texts(`${TRACKERS}/4711`), ['ID:4711', '12.5']);
    await subscriber.says(`${TRACKERS}/4711/availability`, { state: 'online' });

    const stranger = await callerFor(t, port);
    stranger.write('GET / HTTP/1.1\r\n\r\n');
    await once(stranger.resume(), 'close');
    const { msg, peer } = await gateway.waitForLog('it has no name');
    t.regex(msg, /its first frame "GET \/ HTTP\/1\.1\\r" does not match/);
    t.is(peer, '127.0.0.1');

    const again = await callerFor(t, port);
    again.write('ID:4711\n13.5\n');
    await once(old.resume(), 'close');
    await subscriber.count(`${TRACKERS}/4711`, 4);
    t.deepEqual(subscriber.texts(`${TRACKERS}/4711`).slice(2), ['ID:4711', '13.5']);
    await subscriber.says(`${TRACKERS}/4711/availability`, { state: 'online' });
    let got = '';
    again.on('data', (chunk) => {
      got += chunk.toString();
    });
    await subscriber.client.publishAsync(`${TRACKERS}/4711/set`, 'report 60', { qos: 1 });
    await eventually(() => got === 'report 60\n', 'the command');

    gateway.signal('SIGTERM');
    t.is((await gateway.end()).code, 0, gateway.log.at(-1)?.msg);
    const isCleared = (): boolean => subscriber.texts(`${TRACKERS}/4711/availability`).at(-1) === '';
    await eventually(isCleared, 'nothing to be retained of it');
  },
);
