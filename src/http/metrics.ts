// /metrics: what the gateway counts, for Prometheus. prom-client is loaded, and everything that costs something is begun, with
// the first scrape: a gateway that nobody scrapes pays for none of it. Scrapes that come together share one answer.

import { setImmediate } from 'node:timers/promises';
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
    const samples = [...samplesOf(this.#gateway.figures()), ...ofProcess, ...this.#lag.samples()];
    return { status: 200, headers: { 'content-type': board.contentType }, body: await board.text(samples) };
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

  /**
   * The text of these samples, and of what gathers by itself. Made metric by metric: with hundreds of devices all of them take
   * some 100 ms, and between two of them the bytes of devices get their turn.
   */
  async text(samples: readonly Sample[]): Promise<string> {
    const byName = grouped(samples);
    const parts: string[] = [];
    for (const [name, metric] of this.#metrics) {
      metric.reset(); // what is no longer there is no longer shown
      // `inc` is what both kinds have; everything is 0 now.
      for (const { value, labels = {} } of byName.get(name) ?? []) metric.inc(labels, value);
      parts.push(await this.#registry.getSingleMetricAsString(name));
      await setImmediate();
    }
    parts.push(await this.#registry.getSingleMetricAsString(LATENCY.name));
    return `${parts.join('\n')}\n`;
  }
}

function grouped(samples: readonly Sample[]): ReadonlyMap<MetricName, readonly Sample[]> {
  const groups = new Map<MetricName, Sample[]>();
  for (const sample of samples) {
    const group = groups.get(sample.name);
    if (group === undefined) groups.set(sample.name, [sample]);
    else group.push(sample);
  }
  return groups;
}

async function openBoard(gateway: GatewayView): Promise<Board> {
  return new Board(await import('prom-client'), gateway);
}
