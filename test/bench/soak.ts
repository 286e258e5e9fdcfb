// Whether anything grows: a load as a busy board has it, for as long as one likes, with memory, files and threads once a minute and
// their growth per hour at the end. Run it with `npm run bench -- --soak 60`. What a process takes goes up and down with its
// collector; so what it has in use is looked at too, early and at the end.
//
//   8 ptys, 10 lines/s each; 200 connections, a line/s each     checked line by line
//   a pty that comes and goes, every 20 s                       its lines are JSON, which the sink passes over
//   20 connections that come, say a line and go, every 5 s      as well

import { once } from 'node:events';
import net from 'node:net';
import path from 'node:path';
import { openPty, type Pty } from '../../src/hil/pty.js';
import { eventually } from '../support/eventually.js';
import { accepts, freePort } from '../support/mosquitto.js';
import { openFiles, threadsOf } from '../support/process-figures.js';
import { type BenchRig, pass } from './bench-rig.js';
import { liveMiB } from './live-memory.js';
import { costOf } from './process-cost.js';
import { slopeOf } from './slope.js';
import type { SutProcess } from './sut-process.js';
import { drained, firstLine } from './window.js';

const PTYS = 8;
const PTY_LINE_EVERY_MS = 100;
const STEADY = 200;
/** Device numbers of the connections begin here: the ptys have the lower ones. */
const FIRST_CONNECTION = 1000;
const PASSING = 20;
const PASS_EVERY_MS = 5000;
const REPLUG_EVERY_MS = 20_000;
const AWAY_MS = 3000;
const SAMPLE_EVERY_MS = 60_000;
/** Share of the time in which caches fill and V8 finds its size: not counted. */
const WARM_UP = 0.25;
const MEASURES = ['anonMiB', 'pssMiB', 'files', 'threads'] as const;

type Measured = Readonly<Record<(typeof MEASURES)[number] | 'hour', number>>;

/** Runs it, and prints as it goes. Answers whether every line that was to come has come, once and whole. */
export async function soak(rig: BenchRig, minutes: number, print: (line: string) => void): Promise<boolean> {
  const { port: brokerPort, receiver } = await rig.mosquitto('ferrule/bench/#');
  const generator = rig.generator();
  const links = Array.from({ length: PTYS }, (_, n) => path.join(rig.dir, `tty${n}`));
  const passing = path.join(rig.dir, 'tty-passing');
  await generator.ask('ptysOpen', links);
  const port = await freePort();
  const devices = [...links, passing].map((link) => ({ type: 'pty', path: link }) as const);
  const sut = rig.start({
    brokerPort,
    qos: 1,
    links: devices,
    listen: { port, connections: STEADY + 4 * PASSING },
    isInspected: true,
  });
  await eventually(() => accepts(port), 'the listener', 20_000);
  await generator.ask('crowdConnect', { port, count: STEADY, first: FIRST_CONNECTION });
  await generator.ask('ptysOpened', undefined);
  await generator.ask('ptysTalk', PTY_LINE_EVERY_MS);
  await generator.ask('crowdTalk', undefined);
  await firstLine(sut, receiver);
  const restless = startRestless(passing, port);
  const { samples, live } = await sampled(sut, minutes, print);
  await restless.stop();
  const { sent: fromPtys } = await generator.ask('ptysStop', undefined);
  const { sent: fromCrowd } = await generator.ask('crowdStop', undefined);
  const lines = await drained(receiver, new Map([...fromPtys, ...fromCrowd]));
  printGrowth(samples, print);
  print(`in use after a run of the collector: ${live.map((mib) => mib.toFixed(2)).join(' -> ')} MiB`);
  const { received, lost, doubled, outOfOrder, damaged } = lines;
  print(
    `lines: ${received} received, ${lost} lost, ${doubled} doubled, ${outOfOrder} out of order, ${damaged} damaged`,
  );
  print(`meanwhile: ${restless.replugs()} replugs, ${restless.visits()} connections that came and went`);
  return lost + doubled + outOfOrder + damaged === 0;
}

async function sampled(
  sut: SutProcess,
  minutes: number,
  print: (line: string) => void,
): Promise<{ readonly samples: Measured[]; readonly live: number[] }> {
  const { pid } = sut;
  const samples: Measured[] = [];
  const live: number[] = [];
  const firstLook = Math.max(1, Math.floor((minutes * WARM_UP) / 2)); // a collection that we ask for is no part of what is counted
  const begun = performance.now();
  for (let minute = 1; minute <= minutes; minute += 1) {
    await pass(begun + minute * SAMPLE_EVERY_MS - performance.now());
    const hour = (performance.now() - begun) / 3_600_000;
    const { anonMiB, pssMiB } = costOf(pid);
    const sample = { hour, anonMiB, pssMiB, files: await openFiles(pid), threads: threadsOf(pid) };
    samples.push(sample);
    print(
      `${(hour * 60).toFixed(0)} min: ${anonMiB.toFixed(1)} MiB of its own, ${pssMiB.toFixed(1)} PSS, ${sample.files} files, ${sample.threads} threads`,
    );
    if (minute === firstLook || minute === minutes) live.push(await liveMiB(sut));
  }
  return { samples, live };
}

function printGrowth(samples: readonly Measured[], print: (line: string) => void): void {
  const counted = samples.slice(Math.floor(samples.length * WARM_UP));
  for (const measure of MEASURES) {
    const values = counted.map((sample) => ({ hour: sample.hour, value: sample[measure] }));
    const [first, last] = [values[0]?.value ?? Number.NaN, values.at(-1)?.value ?? Number.NaN];
    print(
      `${measure}: ${first.toFixed(1)} -> ${last.toFixed(1)}, ${slopeOf(values).toFixed(2)} per hour after the warm-up`,
    );
  }
}

/** A pty that comes and goes, and connections that do: what a gateway has to forget. */
function startRestless(link: string, port: number) {
  let [replugs, visits, number] = [0, 0, 0];
  let pty: Pty | undefined;
  let isOver = false;
  const talk = setInterval(() => void pty?.write(`{"passing":${number++}}\n`), PTY_LINE_EVERY_MS);
  const come = async (): Promise<void> => {
    await pass(AWAY_MS);
    if (isOver) return;
    pty = await openPty({ link });
    replugs += 1;
  };
  const replug = setInterval(() => {
    const gone = pty;
    pty = undefined;
    void (gone?.unplug() ?? Promise.resolve()).then(come);
  }, REPLUG_EVERY_MS);
  const visit = setInterval(() => {
    for (let one = 0; one < PASSING; one += 1) void visitOnce(port);
    visits += PASSING;
  }, PASS_EVERY_MS);
  return {
    replugs: () => replugs,
    visits: () => visits,
    async stop(): Promise<void> {
      isOver = true;
      for (const timer of [talk, replug, visit]) clearInterval(timer);
      await pass(AWAY_MS);
      await pty?.close();
    },
  };
}

async function visitOnce(port: number): Promise<void> {
  const socket = net.connect({ port, host: '127.0.0.1' });
  socket.on('error', () => {}); // a visitor more or less
  await once(socket, 'connect');
  socket.end('{"visit":1}\n');
  socket.resume();
}
