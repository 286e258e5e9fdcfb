// How long from the start of the process to the first relayed message, and how much memory with eight serial devices: the
// real built gateway, ptys and mosquitto, everything on this machine. Medians of a few runs; no test, nothing fails here.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import mqtt from 'mqtt';
import { openPty, type Pty } from '../../src/hil/pty.js';
import { type Mosquitto, startMosquitto } from '../support/mosquitto.js';

const MAIN = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
const DEVICES = 8;
const RUNS = 5;
/** Time after the first message at which memory is read: imports are done, the heap has settled. */
const SETTLE_MS = 3000;

interface Sample {
  readonly firstMessageMs: number;
  readonly rssMb: number;
  readonly pssMb: number;
}

/** The figures of the start, medians. */
export async function benchStart(): Promise<Record<string, number>> {
  const dir = await mkdtemp(path.join(tmpdir(), 'ferrule-bench-'));
  const broker = await startMosquitto();
  const ptys = await Promise.all(Array.from({ length: DEVICES }, () => openPty()));
  try {
    const file = path.join(dir, 'ferrule.yaml');
    await writeFile(file, configFor(broker, ptys));
    const samples: Sample[] = [];
    for (let run = 0; run < RUNS; run += 1) samples.push(await measure(file, broker, ptys));
    return {
      start_to_first_message_ms: median(samples.map((sample) => sample.firstMessageMs)),
      rss_mb_with_8_serial_devices: median(samples.map((sample) => sample.rssMb)),
      pss_mb_with_8_serial_devices: median(samples.map((sample) => sample.pssMb)),
    };
  } finally {
    await Promise.all(ptys.map((pty) => pty.close()));
    await broker.stop();
    await rm(dir, { recursive: true, force: true });
  }
}

async function measure(file: string, broker: Mosquitto, ptys: readonly Pty[]): Promise<Sample> {
  const subscriber = await mqtt.connectAsync(`mqtt://127.0.0.1:${broker.port}`);
  await subscriber.subscribeAsync('ferrule/bench/+');
  const first = new Promise<number>((resolve) => subscriber.once('message', () => resolve(performance.now())));
  // Every device talks all the time, as it would: the first line that the gateway gets to see is the first to be relayed.
  const talk = setInterval(() => {
    for (const pty of ptys) void pty.write('0123456789abcdef\n');
  }, 10);
  const startedAt = performance.now();
  const gateway = spawn(process.execPath, [MAIN, 'run', '-c', file], { stdio: 'ignore' });
  const firstMessageMs = (await Promise.race([first, failed(gateway)])) - startedAt;
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  const memory = await memoryOf(gateway);
  clearInterval(talk);
  await stop(gateway);
  await subscriber.endAsync();
  return { firstMessageMs, ...memory };
}

async function memoryOf({ pid }: ChildProcess): Promise<{ rssMb: number; pssMb: number }> {
  const text = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8');
  const megabytes = (key: string): number => Number(new RegExp(`^${key}:\\s+(\\d+)`, 'm').exec(text)?.[1]) / 1024;
  return { rssMb: megabytes('Rss'), pssMb: megabytes('Pss') };
}

function failed(gateway: ChildProcess): Promise<never> {
  return new Promise((_, reject) => {
    gateway.once('exit', (code) => reject(new Error(`the gateway ended with ${code} before its first message`)));
  });
}

function stop(gateway: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    gateway.once('exit', () => resolve());
    gateway.kill('SIGTERM');
  });
}

function configFor(broker: Mosquitto, ptys: readonly Pty[]): string {
  const devices = ptys.map((pty, n) => `  d${n}: { driver: lines, link: "serial:${pty.path}?baud_rate=115200" }`);
  return `gateway: { id: bench }\nmqtt: { url: mqtt://127.0.0.1:${broker.port} }\ndevices:\n${devices.join('\n')}\n`;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return Math.round((sorted[Math.floor(sorted.length / 2)] ?? Number.NaN) * 10) / 10;
}
