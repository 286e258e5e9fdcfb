import net from 'node:net';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { systemClock } from '../../src/core/clock.js';
import { Simulation } from '../../src/hil/sim.js';
import { simSchema } from '../../src/hil/sim-schema.js';
import { eventually } from '../support/eventually.js';
import { folderFor } from '../support/ferrule-command.js';

async function start(t: ExecutionContext, devices: object, seed = 1): Promise<Simulation> {
  const sim = simSchema.parse({ seed, devices });
  const say = (line: string): void => t.log(line);
  const simulation = await Simulation.start({ sim, dir: '/', clock: systemClock, say });
  t.teardown(() => simulation.close());
  return simulation;
}

/** What comes from a device behind a port, as it grows. */
function listen(t: ExecutionContext, simulation: Simulation, name: string): { socket: net.Socket; bytes(): Buffer } {
  const { port } = new URL(simulation.links.get(name) ?? '');
  const socket = net.connect(Number(port), '127.0.0.1');
  t.teardown(() => socket.destroy());
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(chunk)).on('error', () => {});
  return { socket, bytes: () => Buffer.concat(chunks) };
}

const AT = 'tcp://127.0.0.1:0';
/** The firmware blinks its version for two seconds first, and the machine may be busy. */
const BOOT_MS = 20_000;

test('an AVR runs the real StandardFirmata: it tells its version, and is without power while unplugged', async (t) => {
  const simulation = await start(t, { uno: { type: 'avr', link: AT, hex: 'standard-firmata' } });
  const uno = listen(t, simulation, 'uno');
  const asking = setInterval(() => uno.socket.write(Buffer.from([0xf9])), 200);
  t.teardown(() => clearInterval(asking));
  await eventually(() => uno.bytes().includes(Buffer.from([0xf9, 2])), 'the version of the protocol', BOOT_MS);
  t.is(await simulation.move('uno', 'unplug'), 'done');
  await eventually(() => uno.socket.closed, 'the end of the connection');
  await simulation.move('uno', 'plug');
  const again = listen(t, simulation, 'uno');
  const askingAgain = setInterval(() => again.socket.write(Buffer.from([0xf9])), 200);
  t.teardown(() => clearInterval(askingAgain));
  await eventually(() => again.bytes().includes(Buffer.from([0xf9, 2])), 'the version of the protocol, again', BOOT_MS);
});

test('chance follows from the seed and the name: what other devices there are changes nothing', async (t) => {
  const scale = { type: 'scale', link: AT, every: 20 };
  const first = async (devices: object, seed?: number): Promise<string> => {
    const simulation = await start(t, devices, seed);
    const heard = listen(t, simulation, 'scale');
    await eventually(() => heard.bytes().includes('ST,'), 'a stable weight');
    await simulation.close();
    return /ST,.*?kg/.exec(heard.bytes().toString())?.[0] ?? '';
  };
  const weights = await Promise.all([
    first({ scale }),
    first({ other: { type: 'scale', link: AT }, scale }),
    first({ scale }, 2),
  ]);
  t.is(weights[0], weights[1]);
  t.not(weights[0], weights[2]);
});

test('a device that cannot start ends those that had; the error names it', async (t) => {
  const probe = await start(t, { a: { type: 'scale', link: AT } });
  const taken = probe.links.get('a') ?? '';
  const free = net.createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => free.once('listening', resolve));
  const { port } = free.address() as net.AddressInfo;
  await new Promise((resolve) => free.close(resolve));
  const devices = { first: { type: 'scale', link: `tcp://127.0.0.1:${port}` }, second: { type: 'scale', link: taken } };
  await t.throwsAsync(start(t, devices), { message: /^second: cannot listen: .*EADDRINUSE/ });
  const after = net.createServer();
  await t.notThrowsAsync(
    new Promise<void>((resolve, reject) => after.once('error', reject).listen(port, '127.0.0.1', resolve)),
  );
  await new Promise((resolve) => after.close(resolve));
  t.is(await probe.move('nobody', 'plug'), 'unknown');
});

test('a recording that ends with the plug out is played again with the plug in', async (t) => {
  const file = path.join(
    folderFor(t, {
      'r.ndjson': `{"ferrule_recording":1,"device":"d"}\n{"t":0,"d":"in","hex":"61"}\n{"t":1000,"note":"lost","reason":"gone"}\n`,
    }),
    'r.ndjson',
  );
  const simulation = await start(t, { d: { type: 'replay', link: AT, file } });
  for (const round of ['first', 'second']) {
    let heard = listen(t, simulation, 'd');
    await eventually(() => {
      if (heard.socket.closed && heard.bytes().length === 0) heard = listen(t, simulation, 'd'); // nobody was there yet
      return heard.socket.closed && heard.bytes().toString() === 'a';
    }, `the ${round} round`);
  }
  t.pass();
});
