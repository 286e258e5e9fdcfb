// What one run of a workload needs, and its end: broker, generator, receiver, the system under test, a folder. Everything that is
// started through it is stopped by `close`, whatever happened in between.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { startMosquitto } from '../support/mosquitto.js';
import type { CountingBroker } from './counting-broker.js';
import type { Generator } from './generator.js';
import { brokerReceiver, type Receiver, sinkReceiver } from './receiver.js';
import type { Handlers } from './role-host.js';
import { type RoleProcess, startRole } from './role-process.js';
import type { Sink } from './sink.js';
import { type SutProcess, startSut } from './sut-process.js';
import type { Setup, System } from './system.js';

/** mosquitto as it comes, but for what would drop lines on their way to the sink, or hold them back. */
const MOSQUITTO = 'allow_anonymous true\nmax_queued_messages 0\nset_tcp_nodelay true';
/** Longer than the 8 s that a gateway gives itself. */
const STOP_MS = 12_000;

export interface RigOptions {
  /** Length of the measured part. */
  readonly seconds: number;
  /** Where the gateway leaves profiles; only Ferrule is profiled. */
  readonly profileDir?: string;
}

export interface BrokerAndSink {
  readonly port: number;
  readonly sink: RoleProcess<Sink>;
  readonly receiver: Receiver;
}

export class BenchRig {
  readonly seconds: number;
  readonly dir = mkdtempSync(path.join(tmpdir(), 'ferrule-bench-'));
  readonly #system: System;
  readonly #profileDir: string | undefined;
  readonly #endings: ((withinMs: number) => Promise<void> | void)[] = [];
  #sut: SutProcess | undefined;
  #closed: Promise<void> | undefined;

  constructor(system: System, { seconds, profileDir }: RigOptions) {
    this.#system = system;
    this.seconds = seconds;
    this.#profileDir = profileDir;
  }

  generator(): RoleProcess<Generator> {
    return this.role<Generator>('generator');
  }

  /** A part of the bench in a process of its own, stopped with the rig. */
  role<H extends Handlers>(file: string): RoleProcess<H> {
    const role = startRole<H>(file);
    this.#endings.push(() => role.stop());
    return role;
  }

  /** A mosquitto with a sink that hears `filter`; `more` is added to its config. */
  async mosquitto(filter: string, more = ''): Promise<BrokerAndSink> {
    const broker = await startMosquitto({ config: `${MOSQUITTO}\n${more}` });
    this.#endings.push(() => broker.kill());
    const sink = this.role<Sink>('sink');
    await sink.ask('connect', { port: broker.port, filter });
    return { port: broker.port, sink, receiver: sinkReceiver(sink) };
  }

  /** A broker that only counts. */
  async countingBroker(): Promise<{ readonly port: number; readonly receiver: Receiver }> {
    const broker = this.role<CountingBroker>('counting-broker');
    return { port: await broker.ask('listen', undefined), receiver: brokerReceiver(broker) };
  }

  /** Starts the system under test. */
  start(setup: Omit<Setup, 'dir' | 'profileDir'>): SutProcess {
    const profile = this.#profileDir === undefined ? {} : { profileDir: this.#profileDir };
    const sut = startSut(this.#system.prepare({ ...setup, dir: this.dir, ...profile }), this.dir);
    this.#endings.push((withinMs) => sut.stop(withinMs));
    this.#sut = sut;
    return sut;
  }

  /** The end of what the system under test has written, for whoever must find out why it failed. */
  tail(): string {
    return this.#sut?.tail() ?? '';
  }

  /** Stops everything, last first. The system under test has `withinMs` to end in order; asked again, it has no more time. */
  close(withinMs = STOP_MS): Promise<void> {
    if (this.#closed !== undefined) this.#sut?.signal('SIGKILL');
    this.#closed ??= this.#close(withinMs);
    return this.#closed;
  }

  async #close(withinMs: number): Promise<void> {
    for (const end of this.#endings.splice(0).reverse()) await end(withinMs);
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** The length of something, not a wait for something. */
export function pass(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
