// What systemd hears of the real, built gateway: from READY to STOPPING, and a watchdog that goes hungry. A thread that is stuck
// in a wait takes minutes to be called so; that is tested with a fake clock in test/cli/service-notify.test.ts.

import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { driversFor } from '../support/driver-folder.js';
import { gatewayFor } from '../support/e2e-test.js';
import { eventually } from '../support/eventually.js';
import { freePort } from '../support/mosquitto.js';
import { listenForNotify } from '../support/notify-listener.js';
import { startTcpDevice, type TcpDevice } from '../support/tcp-device.js';

const WATCHDOG_MS = 900;

async function deviceFor(t: ExecutionContext): Promise<TcpDevice> {
  const device = await startTcpDevice();
  t.teardown(() => device.close());
  return device;
}

function environment(address: string): Record<string, string> {
  return { NOTIFY_SOCKET: address, WATCHDOG_USEC: String(WATCHDOG_MS * 1000) };
}

test.serial('systemd hears READY, STATUS, RELOADING, WATCHDOG and STOPPING', async (t) => {
  const listener = listenForNotify(t, `@ferrule-${randomUUID()}`);
  const device = await deviceFor(t);
  const config = {
    mqtt: { url: 'embedded', embedded: { port: 0 } },
    devices: {
      scale: { driver: 'lines', link: `tcp://127.0.0.1:${device.port}` },
      cell: { driver: 'lines', link: `tcp://127.0.0.1:${await freePort()}` },
    },
  };
  const gateway = gatewayFor(t, { config, env: environment(listener.address) });
  const ready = await listener.waitFor('READY');
  t.regex(ready.STATUS ?? '', /^\d of 2 devices online; broker /);
  await eventually(
    () => /^1 of 2 devices online; broker online; cell: backing-off: /.test(last(listener.heard, 'STATUS')),
    'a status with one device online',
  );
  await eventually(() => listener.count('WATCHDOG') >= 3, 'three times WATCHDOG');

  const before = process.hrtime.bigint() / 1000n;
  gateway.signal('SIGHUP');
  const reloading = await listener.waitFor('RELOADING');
  const at = BigInt(reloading.MONOTONIC_USEC ?? '0');
  t.true(at >= before && at <= process.hrtime.bigint() / 1000n, 'the time is that of CLOCK_MONOTONIC');
  await eventually(() => listener.count('READY') === 2, 'READY after the reload');

  gateway.signal('SIGTERM');
  const stopping = await listener.waitFor('STOPPING');
  t.is(stopping.STATUS, 'stopping: SIGTERM');
  t.is(stopping.EXTEND_TIMEOUT_USEC, '13000000');
  t.is((await gateway.end()).code, 0);
});

function last(heard: readonly Readonly<Record<string, string>>[], key: string): string {
  return heard.findLast((message) => key in message)?.[key] ?? '';
}

test.serial('a driver that never comes back keeps WATCHDOG away', async (t) => {
  const listener = listenForNotify(t, `@ferrule-${randomUUID()}`);
  const device = await deviceFor(t);
  const loop = '() => ({ decode(frame) { if (frame.toString() === "loop") for (;;); return { text: 1 }; } })';
  const config = {
    mqtt: { url: 'embedded', embedded: { port: 0 } },
    drivers_dir: driversFor(t, { looping: loop }),
    devices: { scale: { driver: 'looping', link: `tcp://127.0.0.1:${device.port}`, framing: { type: 'line' } } },
  };
  const gateway = gatewayFor(t, { config, env: environment(listener.address) });
  const connection = await device.connection();
  await eventually(() => listener.count('WATCHDOG') >= 2, 'WATCHDOG while all is well');
  connection.write('loop\n');
  const hasStopped = async (): Promise<boolean> => {
    const before = listener.count('WATCHDOG');
    await sleep(2 * WATCHDOG_MS);
    return listener.count('WATCHDOG') === before;
  };
  await eventually(hasStopped, 'WATCHDOG to stop');
  gateway.signal('SIGKILL'); // as systemd does next
  t.is((await gateway.end()).signal, 'SIGKILL');
});

test.serial('nobody at NOTIFY_SOCKET is told once in the log, and the gateway runs', async (t) => {
  const config = { mqtt: { url: 'embedded', embedded: { port: 0 } }, devices: {} };
  const gateway = gatewayFor(t, { config, env: environment(`@ferrule-nobody-${randomUUID()}`) });
  await gateway.waitForLog('systemd cannot be told how this service is: ECONNREFUSED; going on without it');
  await gateway.waitForLog('connected to the broker');
  gateway.signal('SIGTERM');
  t.is((await gateway.end()).code, 0);
  t.is(gateway.log.filter(({ msg }) => msg.includes('systemd')).length, 1);
});
