// A monitor at work: a visit to the tap of the device (tap-visit.ts) that shows what comes on the device's topics.

import { handleSignals } from '../signals.js';
import { EXIT } from './exit-codes.js';
import { type MonitorKind, monitorJson, monitorLine } from './monitor-line.js';
import { TapVisit, type TapVisitPlace } from './tap-visit.js';

export interface MonitorSessionOptions extends TapVisitPlace {
  readonly json: boolean;
  readonly out: (line: string) => void;
}

export class MonitorSession {
  readonly #options: MonitorSessionOptions;
  readonly #kinds: ReadonlyMap<string, MonitorKind>;
  readonly #visit: TapVisit;

  constructor(options: MonitorSessionOptions) {
    this.#options = options;
    const { topics, device, err } = options;
    this.#kinds = new Map([
      [topics.tap(device), 'tap'],
      [topics.readings(device), 'reading'],
      [topics.response(device), 'response'],
      [topics.availability(device), 'availability'],
    ]);
    this.#visit = new TapVisit({
      ...options,
      listenTo: [...this.#kinds.keys()],
      onMessage: (topic, payload) => this.#show(topic, payload),
      onAgreed: () => err(`watching ${device}; Ctrl-C ends`),
      onRefused: 'end',
      farewell: 'at-once',
    });
  }

  /** Runs until a signal, the end of its time, or a trouble that it has told; gives the exit code. */
  async run(): Promise<number> {
    let release = (): void => {};
    const bug = new Promise<never>((_, reject) => {
      release = this.#endOnSignals(reject);
    });
    try {
      return await Promise.race([this.#visit.run(), bug]);
    } finally {
      await this.#visit.leave();
      release();
    }
  }

  /** Also where nobody reads the output any more: `ferrule monitor scale | head`. */
  #endOnSignals(onBug: (error: unknown) => void): () => void {
    const end = (): void => this.#visit.end(EXIT.clean);
    process.stdout.on('error', end);
    const handlers = { onStop: end, onImpatience: () => {}, onReload: end, onUncaught: onBug, onUnhandled: onBug };
    const release = handleSignals(handlers, this.#options.clock);
    return () => {
      process.stdout.off('error', end);
      release();
    };
  }

  #show(topic: string, payload: Buffer): void {
    const { json, out, clock } = this.#options;
    const kind = this.#kinds.get(topic);
    if (kind !== undefined) out((json ? monitorJson : monitorLine)(kind, payload, clock.wall()));
  }
}
