// /metrics: what the gateway counts, for Prometheus. prom-client is loaded, and everything that costs something is begun, with
// the first scrape: a gateway that nobody scrapes pays for none of it. Scrapes that come together share one answer.

import type { Counter, Gauge, Registry } from 'prom-client';
import type { Clock } from '../core/clock.js';
import type { Answer } from './answer.js';
import type { GatewayView } from './gateway-view.js';
import { LoopLag } from './loop-lag.js';
import { LATENCY, METRICS, type MetricName } from './metric-table.js';
import { processSamples } from './process-figures.js';
import { type Sample, samplesOf } from './samples.js';

type PromClient = typeof import('prom-client');

export class Metrics {
  readonly #gateway: GatewayView;
  readonly #clock: Clock;
  readonly #lag: LoopLag;
  #board: Promise<Board> | undefined;
  #answering: Promise<Answer> | undefined;

  constructor(gateway: GatewayView, clock: Clock) {
    this.#gateway = gateway;
    this.#clock = clock;
    this.#lag = new LoopLag(clock);
  }

  /** The answer to a scrape. */
  answer(): Promise<Answer> {
    this.#answering ??= this.#answer().finally(() => {
      this.#answering = undefined;
    });
    return this.#answering;
  }

  /** Measures nothing any more. */
  close(): void {
    this.#lag.close();
  }

  async #answer(): Promise<Answer> {
    this.#board ??= openBoard(this.#gateway);
    const board = await this.#board;
    const ofProcess = await processSamples(this.#clock);
    board.show([...samplesOf(this.#gateway.figures()), ...ofProcess, ...this.#lag.samples()]);
    return { status: 200, headers: { 'content-type': board.contentType }, body: await board.text() };
  }
}

/** The metrics in the hands of prom-client. */
class Board {
  readonly #registry: Registry;
  readonly #metrics = new Map<MetricName, Counter | Gauge>();

  constructor({ Registry, Counter, Gauge, Histogram }: PromClient, gateway: GatewayView) {
    this.#registry = new Registry();
    const registers = [this.#registry];
    for (const { name, type, help, labels } of METRICS) {
      const options = { name, help, labelNames: [...labels], registers };
      this.#metrics.set(name, type === 'counter' ? new Counter(options) : new Gauge(options));
    }
    const { name, help, buckets } = LATENCY;
    const latency = new Histogram({ name, help, buckets: [...buckets], registers });
    gateway.watchLatency((ms) => latency.observe(ms / 1000));
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** Replaces all samples: what is no longer there is no longer shown. */
  show(samples: readonly Sample[]): void {
    for (const metric of this.#metrics.values()) metric.reset();
    // `inc` is what both kinds have; everything was 0 before.
    for (const { name, value, labels = {} } of samples) this.#metrics.get(name)?.inc(labels, value);
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }
}

async function openBoard(gateway: GatewayView): Promise<Board> {
  return new Board(await import('prom-client'), gateway);
}
