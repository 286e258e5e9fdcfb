// A gateway that keeps readings in a folder of the test's own, so that it can be killed and started again over the same spool,
// with one TCP device that numbers its lines.

import { mkdtempSync, rmSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { ExecutionContext } from 'ava';
import { gatewayFor } from './e2e-test.js';
import type { GatewayProcess } from './gateway-process.js';
import type { Subscriber } from './subscriber.js';
import { startTcpDevice, type TcpDevice } from './tcp-device.js';

export interface SpoolGatewayOptions {
  readonly port: number;
  /** Section `spool` of the config. */
  readonly spool?: object;
  /** Section `gateway`, besides its folder. */
  readonly gateway?: object;
  /** Default: a new one, gone with the test. */
  readonly dataDir?: string;
}

export interface SpoolGateway {
  readonly dataDir: string;
  readonly device: TcpDevice;
  /** Starts it; its device is online then. */
  start(): Promise<GatewayProcess>;
}

/** A folder of its own, gone with the test. */
export function folderFor(t: ExecutionContext): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'ferrule-spool-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** What it takes to start a gateway `e2e` with a device `cell`, again and again. */
export async function spoolGatewayFor(t: ExecutionContext, options: SpoolGatewayOptions): Promise<SpoolGateway> {
  const { port, spool = {}, gateway = {}, dataDir = folderFor(t) } = options;
  const device = await startTcpDevice();
  t.teardown(() => device.close());
  const config = {
    gateway: { id: 'e2e', data_dir: dataDir, ...gateway },
    mqtt: { url: `mqtt://127.0.0.1:${port}`, reconnect: { first: 100, max: 400 } },
    spool,
    devices: { cell: { driver: 'lines', link: `tcp://127.0.0.1:${device.port}`, reconnect: { first: 50, max: 100 } } },
  };
  return {
    dataDir,
    device,
    start: async () => {
      const started = gatewayFor(t, { config });
      await started.waitForLog(({ group, msg }) => group === 'cell' && msg.startsWith('online'));
      return started;
    },
  };
}

/** Bytes of all files in a folder; 0 while it is not there. */
export async function folderBytes(folder: string): Promise<number> {
  const names = await readdir(folder).catch((): string[] => []);
  const sizes = names.map((name) =>
    stat(path.join(folder, name)).then(
      ({ size }) => size,
      () => 0, // removed meanwhile
    ),
  );
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

/** Messages of the device that the gateway says it has dropped. */
export async function droppedOf(judge: Subscriber): Promise<number> {
  const topic = `ferrule/e2e/bridge/response/devices`;
  const before = judge.on(topic).length;
  await judge.client.publishAsync(`ferrule/e2e/bridge/request/devices`, '{}', { qos: 1 });
  await judge.count(topic, before + 1);
  const { data } = judge.last(topic) as { data: { name: string; dropped: number }[] };
  return data.find(({ name }) => name === 'cell')?.dropped ?? 0;
}
