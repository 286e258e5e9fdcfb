import test from 'ava';
import type { RegistryEvent } from '../../src/core/thread-registry.js';
import { ThreadRegistry } from '../../src/core/thread-registry.js';
import type { DownMessage } from '../../src/device/message.js';
import { FakeClock } from '../support/fake-clock.js';
import { groupRig } from '../support/group-rig.js';

test('who watches the registry is told each change of state of a device', async (t) => {
  const clock = new FakeClock();
  const registry = new ThreadRegistry<DownMessage>(clock);
  const told: string[] = [];
  registry.watch((event: RegistryEvent) => {
    if (event.kind === 'transition') told.push(`${event.group}: ${event.transition.to}`);
  });
  const rig = groupRig({ clock, registry });
  await rig.settle();
  rig.far.unplug();
  await rig.settle();
  await rig.end();
  t.deepEqual(told, ['scale: connecting', 'scale: online', 'scale: backing-off', 'scale: closing', 'scale: closed']);
});
