import test, { type ExecutionContext } from 'ava';
import { readConfig } from '../../src/cli/read-config.js';
import { ownerOf } from '../../src/control/self-view.js';
import type { PlannedDevice } from '../../src/device/plan-devices.js';
import { folderFor } from '../support/ferrule-command.js';

async function planned(t: ExecutionContext, devices: object): Promise<readonly PlannedDevice[]> {
  const read = await readConfig({ cwd: folderFor(t, { 'ferrule.yaml': JSON.stringify({ devices }) }), env: {} });
  if (!read.ok) throw new Error(read.lines.join('\n'));
  return read.devices;
}

test('what is recorded is of its own device, also where the name of another begins like it', async (t) => {
  const devices = await planned(t, {
    press: { driver: 'raw', link: 'tcp://h:1' },
    'press/scale': { driver: 'lines', link: 'tcp://h:2' },
    sensors: { driver: 'lines', link: 'tcp-listen://127.0.0.1:7000' },
    all: { driver: 'lines', link: 'tcp-listen://127.0.0.1:7001?peer=shared' },
  });
  const owner = (id: string): string | undefined => ownerOf(devices, id)?.plan.name;
  t.is(owner('press'), 'press');
  t.is(owner('press/scale'), 'press/scale');
  t.is(owner('press/nobody'), undefined, 'only a listener has connections');
  t.is(owner('sensors/10.0.0.7'), 'sensors');
  t.is(owner('all/1'), 'all');
  t.is(owner('others/1'), undefined);
});
