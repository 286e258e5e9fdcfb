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

const noFirmware = (): undefined => undefined;

test('gps, scale and arduino are on ptys, the thermometer is behind a TCP port', async (t) => {
  const said: string[] = [];
  const plant = await VirtualPlant.start({ clock: new FakeClock(), say: (line) => said.push(line) });
  t.regex(plant.links.gps, /^serial:\/dev\/pts\/\d+$/);
  t.regex(plant.links.scale, /^serial:\/dev\/pts\/\d+$/);
  t.regex(plant.links.arduino ?? '', /^serial:\/dev\/pts\/\d+$/);
  t.regex(plant.links.thermometer, /^tcp:\/\/127\.0\.0\.1:\d+$/);
  t.deepEqual(said, []);
  await plant.close();
});

test('without ptys the devices are on TCP, which is said in one line', async (t) => {
  const said: string[] = [];
  const plant = await VirtualPlant.start({ clock: new FakeClock(), say: (line) => said.push(line), open: noPty });
  t.true(await canConnect(plant.links.gps));
  t.true(await canConnect(plant.links.scale));
  t.true(await canConnect(plant.links.arduino ?? ''));
  t.deepEqual(said, ['ptys are not available here: no /dev/ptmx: gps, scale and arduino are on TCP instead']);
  await plant.close();
  t.false(await canConnect(plant.links.gps));
  t.false(await canConnect(plant.links.arduino ?? ''), 'the line of a board that never had power is closed too');
});

test('without firmware there is no board, which is said in one line, and all else is as ever', async (t) => {
  const said: string[] = [];
  const clock = new FakeClock();
  const plant = await VirtualPlant.start({ clock, say: (line) => said.push(line), findFirmware: noFirmware });
  t.is(plant.links.arduino, undefined);
  t.regex(plant.links.gps, /^serial:/);
  t.is(plant.view.arduino, undefined);
  t.deepEqual(said, ['no Arduino here: its firmware comes with `npm install avrgirl-arduino`']);
  await plant.startBoard();
  await plant.close();
  const { devices } = await planDemo(plant.links, { mqtt: 0, http: 0 }, '/');
  t.false(devices.some(({ plan }) => plan.name === 'arduino'));
  t.is(clock.pending, 0);
});

test('the board has no power until it is started, and a firmware that cannot be read is the reason it is not', async (t) => {
  const clock = new FakeClock();
  const plant = await VirtualPlant.start({ clock, say: () => {}, findFirmware: () => '/no/such.hex' });
  t.is(plant.view.arduino?.led, undefined);
  await t.throwsAsync(plant.startBoard(), { message: /no\/such\.hex/ });
  await plant.close();
  t.is(clock.pending, 0);
});

test('the knob goes from 0 to 5 volts and back in a straight line', async (t) => {
  const clock = new FakeClock();
  const plant = await VirtualPlant.start({ clock, say: () => {} });
  const volts: (number | undefined)[] = [];
  for (let step = 0; step < 5; step += 1) {
    volts.push(plant.view.arduino?.volts);
    await clock.advance(10_000);
  }
  t.deepEqual(volts, [0, 2.5, 5, 2.5, 0]);
  await plant.close();
});

test('the thermometer is unplugged after a while and comes back at the same address', async (t) => {
  const clock = new FakeClock();
  const plant = await VirtualPlant.start({ clock, say: () => {} });
  const told: string[] = [];
  plant.onHardware((device, text) => told.push(`${device} ${text}`));
  const { thermometer } = plant.links;
  t.true(await canConnect(thermometer));
  await clock.advance(22_000);
  await eventually(async () => !(await canConnect(thermometer)), 'the thermometer to be unplugged');
  await clock.advance(8_000);
  await eventually(() => canConnect(thermometer), 'the thermometer to come back');
  t.deepEqual(told, ['thermometer unplugged', 'thermometer plugged in again']);
  await plant.close();
  t.is(clock.pending, 0);
});

test('the config of the demo is one that ferrule check accepts', async (t) => {
  const links = {
    gps: 'serial:/dev/pts/1',
    scale: 'tcp://127.0.0.1:1001',
    thermometer: 'tcp://127.0.0.1:1002',
    arduino: 'serial:/dev/pts/2',
  };
  const { config, devices } = await planDemo(links, { mqtt: 0, http: 0 }, '/tmp/demo');
  t.is(config.gateway.data_dir, '/tmp/demo/data', 'nothing is written elsewhere');
  t.is(config.mqtt.base_topic, 'ferrule/demo');
  t.deepEqual(
    devices.map(({ plan }) => plan.name),
    ['gps', 'scale', 'arduino', 'thermometer', 'sensors'],
  );
});
