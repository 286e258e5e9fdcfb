import net from 'node:net';
import test from 'ava';
import { planDemo } from '../../../src/cli/demo/demo-config.js';
import { VirtualPlant } from '../../../src/cli/demo/virtual-plant.js';
import { PtyUnavailableError } from '../../../src/hil/pty.js';
import { eventually } from '../../support/eventually.js';
import { FakeClock } from '../../support/fake-clock.js';

const noPty = (): never => {
  throw new PtyUnavailableError('no /dev/ptmx');
};

function canConnect(link: string): Promise<boolean> {
  const { hostname, port } = new URL(link);
  return new Promise((resolve) => {
    const socket = net.connect(Number(port), hostname);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

test('gps and scale are on ptys, the thermometer is behind a TCP port', async (t) => {
  const said: string[] = [];
  const plant = await VirtualPlant.start({ clock: new FakeClock(), say: (line) => said.push(line) });
  t.regex(plant.links.gps, /^serial:\/dev\/pts\/\d+$/);
  t.regex(plant.links.scale, /^serial:\/dev\/pts\/\d+$/);
  t.regex(plant.links.thermometer, /^tcp:\/\/127\.0\.0\.1:\d+$/);
  t.deepEqual(said, []);
  await plant.close();
});

test('without ptys the devices are on TCP, which is said in one line', async (t) => {
  const said: string[] = [];
  const plant = await VirtualPlant.start({ clock: new FakeClock(), say: (line) => said.push(line), open: noPty });
  t.true(await canConnect(plant.links.gps));
  t.true(await canConnect(plant.links.scale));
  t.deepEqual(said, ['ptys are not available here: no /dev/ptmx: gps and scale are on TCP instead']);
  await plant.close();
  t.false(await canConnect(plant.links.gps));
});

test('the thermometer is unplugged after a while and comes back at the same address', async (t) => {
  const clock = new FakeClock();
  const plant = await VirtualPlant.start({ clock, say: () => {} });
  const { thermometer } = plant.links;
  t.true(await canConnect(thermometer));
  await clock.advance(22_000);
  await eventually(async () => !(await canConnect(thermometer)), 'the thermometer to be unplugged');
  await clock.advance(8_000);
  await eventually(() => canConnect(thermometer), 'the thermometer to come back');
  await plant.close();
  t.is(clock.pending, 0);
});

test('the config of the demo is one that ferrule check accepts', async (t) => {
  const links = { gps: 'serial:/dev/pts/1', scale: 'tcp://127.0.0.1:1001', thermometer: 'tcp://127.0.0.1:1002' };
  const { config, devices } = await planDemo(links, 0);
  t.is(config.mqtt.base_topic, 'ferrule/demo');
  t.deepEqual(
    devices.map(({ plan }) => plan.name),
    ['gps', 'scale', 'thermometer', 'sensors'],
  );
});
