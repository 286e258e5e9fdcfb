import test from 'ava';
import { ownerOf } from '../../src/control/named-device.js';

const DEVICES = [
  { name: 'press', isListener: false },
  { name: 'press/scale', isListener: false },
  { name: 'sensors', isListener: true },
];

for (const [id, owner, why] of [
  ['press', 'press', 'a name'],
  ['press/scale', 'press/scale', 'a device may be called like what stands below another'],
  ['press/nobody', undefined, 'only a listener has connections'],
  ['sensors', 'sensors', 'the listener itself'],
  ['sensors/10.0.0.7', 'sensors', 'a connection of it'],
  ['sensors/hall/1', 'sensors', 'whatever it is called'],
  ['sensor', undefined, 'half a name'],
  ['others/1', undefined, 'nobody'],
] as const) {
  test(`${id} is of ${owner ?? 'none'}: ${why}`, (t) => {
    t.is(ownerOf(DEVICES, id, (device) => device)?.name, owner);
  });
}
