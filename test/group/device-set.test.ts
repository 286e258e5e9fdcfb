// The devices of a gateway as their config changes: on links that listen on loopback, with a fake clock.

import test from 'ava';
import { tcpLink } from '../../src/config/link-schema.js';
import { Presence } from '../../src/core/presence.js';
import { ThreadRegistry } from '../../src/core/thread-registry.js';
import type { DownMessage } from '../../src/device/message.js';
import type { PlannedDevice } from '../../src/device/plan-devices.js';
import { DeviceSet } from '../../src/group/device-set.js';
import { eventually } from '../support/eventually.js';
import { FakeClock } from '../support/fake-clock.js';
import { FakeRelay } from '../support/fake-relay.js';
import { echoDriver, lineFraming, SETTINGS } from '../support/group-rig.js';
import { RecordingLog } from '../support/recording-log.js';
import { startTcpDevice } from '../support/tcp-device.js';

test('readings that a changed device could not hand over are told and counted', async (t) => {
  const far = await startTcpDevice();
  t.teardown(() => far.close());
  const [clock, log, relay] = [new FakeClock(), new RecordingLog(), new FakeRelay()];
  const registry = new ThreadRegistry<DownMessage>(clock);
  const set = new DeviceSet({ clock, log, registry, relay, uplink: new Presence(true) });
  await set.apply([planned(far.port, 1000)]);
  const before = set.get('cell');
  relay.fill();
  (await far.connection()).write('one\ntwo\n');
  const figures = (): Readonly<Record<string, unknown>> => before?.group.figures() ?? {};
  await eventually(() => figures().readings === 2, 'the lines to come');
  const changing = set.apply([planned(far.port, 2000)]);
  for (let s = 0; s < 6; s += 1) await clock.advance(1000);
  t.deepEqual((await changing).changed, ['cell']);
  t.is(figures().droppedReadings, 2);
  t.is(log.at('warn').find(({ message }) => /^2 readings had not left/.test(message))?.fields.group, 'cell');
  t.truthy(log.find('cell: threads did not end in time')?.fields.left);
  const over = set.apply([]);
  for (let s = 0; s < 6; s += 1) await clock.advance(1000);
  await over;
});

function planned(port: number, queue_size: number): PlannedDevice {
  const link = tcpLink.parse({ type: 'tcp', host: '127.0.0.1', port });
  const plan = { driver: echoDriver, driverName: 'test', driverDirs: [], options: undefined, framing: lineFraming() };
  return { config: { ...SETTINGS, queue_size }, plan: { name: 'cell', link, ...plan } } as unknown as PlannedDevice;
}
