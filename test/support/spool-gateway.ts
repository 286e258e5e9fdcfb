// A gateway that keeps readings in a folder of the test's own, so that it can be killed and started again over the same spool,
// with one TCP device that numbers its lines.

import { mkdtempSync, rmSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { ExecutionContext } from 'ava';
import { gatewayFor } from './e2e-test.js';
import { eventually } from './eventually.js';
import type { GatewayProcess } from './gateway-process.js';
import type { Subscriber } from './subscriber.js';
import { startTcpDevice, type TcpDevice } from './tcp-device.js';

const LOOK_EVERY_MS = 250;
const REPLAYED_WITHIN_MS = 60_000;

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

/** Waits until the spool in `folder` has been written to `count` times more: what was said before the first of them is in it. */
export async function spoolWrites(folder: string, count: number): Promise<void> {
  let [bytes, writes] = [await folderBytes(folder), 0];
  const isEnough = async (): Promise<boolean> => {
    const now = await folderBytes(folder);
    if (now !== bytes) writes += 1;
    bytes = now;
    return writes >= count;
  };
  await eventually(isEnough, `${count} writes to the spool`);
}

/** Waits until nothing has been written to the spool in `folder` for so long. */
export async function spoolRests(folder: string, ms: number): Promise<void> {
  const isAtRest = async (): Promise<boolean> => {
    const bytes = await folderBytes(folder);
    await pause(ms);
    return (await folderBytes(folder)) === bytes;
  };
  await eventually(isAtRest, 'the spool to be at rest');
}

/** Waits until a gateway that had something on disk says that nothing is left of it, and nothing comes from the device any more. */
export async function whenReplayed(judge: Subscriber): Promise<void> {
  const answers = 'ferrule/e2e/bridge/response/health_check';
  const before = judge.on(answers).length;
  const isOver = async (): Promise<boolean> => {
    const heard = judge.on('ferrule/e2e/cell').length;
    await judge.client.publishAsync('ferrule/e2e/bridge/request/health_check', '{}', { qos: 1 });
    await pause(LOOK_EVERY_MS);
    if (judge.on(answers).length === before) return false; // it is not there yet
    const { data } = judge.last(answers) as { data: { spool?: { state: string; messages: number } } };
    const isEmpty = data.spool?.state === 'disk' && data.spool.messages === 0; // it is `idle` until it has been opened
    return isEmpty && heard > 0 && judge.on('ferrule/e2e/cell').length === heard;
  };
  await eventually(isOver, 'the end of the replay', REPLAYED_WITHIN_MS);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
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
