// The process as the workloads use it: what a careless gateway would do to lines is seen.

import test from 'ava';
import mqtt from 'mqtt';
import type { CountingBroker } from './counting-broker.js';
import { startRole } from './role-process.js';
import { PAYLOAD_BYTES, stampedLine } from './stamped-line.js';

for (const protocolVersion of [4, 5] as const) {
  test(`a client that loses, doubles, swaps and garbles lines is found out: MQTT version ${protocolVersion}`, async (t) => {
    const broker = startRole<CountingBroker>('counting-broker');
    t.teardown(() => broker.stop());
    const port = await broker.ask('listen', undefined);
    const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${port}`, { protocolVersion, reconnectPeriod: 0 });
    t.teardown(() => client.end(true));
    await client.subscribeAsync(['a/set', 'b/set']);
    await client.publishAsync('a/availability', '{"state":"online"}', { qos: 1 });
    for (const number of [0, 1, 4, 3, 3, 6]) {
      await client.publishAsync('a', stampedLine(0, number, 0).subarray(0, PAYLOAD_BYTES), { qos: 1 }); // acknowledged, each
    }
    await client.publishAsync('a', stampedLine(0, 7, 0).subarray(0, 40), { qos: 1 });
    const { received, lost, doubled, outOfOrder, damaged } = await broker.ask('figures', new Map([[0, 8]]));
    t.deepEqual(
      { received, lost, doubled, outOfOrder, damaged },
      { received: 5, lost: 3, doubled: 1, outOfOrder: 1, damaged: 1 },
    );
  });
}
