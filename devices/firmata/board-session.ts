// A session with a board of named channels: readings on change and on schedule, `set/<name>`, `set` for several, `get`. Which
// channels there are, and what they do, is the driver's.

import {
  type DriverCommand,
  type Reading,
  reject,
  type Session,
  type SessionAnswer,
  type SessionHost,
} from 'ferrule/driver';
import type { BoardChannel } from './channel.js';

export interface ReportOptions {
  /** A reading each so many ms; 0: only on change. */
  readonly every_ms: number;
  readonly on_change: boolean;
  /** Changes within so many ms are one reading. */
  readonly gather_ms: number;
}

export class BoardSession implements Session {
  readonly #host: SessionHost;
  readonly #report: ReportOptions;
  readonly #onClose: () => void;
  #channels: ReadonlyMap<string, BoardChannel> = new Map();
  #gathering: NodeJS.Timeout | undefined;
  #schedule: NodeJS.Timeout | undefined;

  constructor(host: SessionHost, report: ReportOptions, onClose: () => void) {
    this.#host = host;
    this.#report = report;
    this.#onClose = onClose;
  }

  /** The channels are there: from now on they are read. */
  begin(channels: ReadonlyMap<string, BoardChannel>): void {
    this.#channels = channels;
    const { every_ms } = this.#report;
    if (every_ms > 0) this.#schedule = setInterval(() => this.#tell(), every_ms);
    this.changed();
  }

  /** A value has changed: told with all others in `gather_ms`. */
  changed(): void {
    if (!this.#report.on_change || this.#channels.size === 0) return;
    this.#gathering ??= setTimeout(() => this.#tell(), this.#report.gather_ms);
  }

  async command({ verb, channel, payload }: DriverCommand): Promise<SessionAnswer> {
    if (verb === 'get') {
      this.#tell();
      return { data: this.#values() };
    }
    const wanted = wantedBy(payload);
    const problem = channel === undefined ? this.#setSeveral(wanted) : this.#setOne(channel, wanted);
    this.changed();
    if (problem !== undefined) return reject(problem);
    await this.#written();
    return undefined;
  }

  close(): void {
    clearTimeout(this.#gathering);
    clearInterval(this.#schedule);
    this.#onClose();
  }

  #setSeveral(wanted: unknown): string | undefined {
    if (typeof wanted !== 'object' || wanted === null || Array.isArray(wanted)) {
      return `expected an object such as {"${[...this.#channels.keys()][0]}": ...}; or use set/<name>: ${this.#takers()}`;
    }
    const problems = Object.entries(wanted).flatMap(([name, value]) => this.#setOne(name, value) ?? []);
    return problems.length > 0 ? problems.join('; ') : undefined;
  }

  #setOne(name: string, wanted: unknown): string | undefined {
    const channel = this.#channels.get(name);
    if (channel === undefined) return `no channel "${name}"; it takes: ${this.#takers()}`;
    if (channel.set === undefined) return `${name} is an input and takes no commands; it takes: ${this.#takers()}`;
    const problem = channel.set(wanted);
    return problem === undefined ? undefined : `${name}: ${problem}`;
  }

  #takers(): string {
    const names = [...this.#channels].filter(([, channel]) => channel.set !== undefined).map(([name]) => `set/${name}`);
    return names.join(', ') || 'none';
  }

  #values(): Reading {
    return Object.fromEntries([...this.#channels].map(([name, channel]) => [name, channel.value()]));
  }

  #tell(): void {
    clearTimeout(this.#gathering);
    this.#gathering = undefined;
    this.#host.reading(this.#values());
  }

  /** Resolves when all that was written so far has left. */
  #written(): Promise<void> {
    const { wire } = this.#host;
    return new Promise((resolve) => {
      if (wire.writable) wire.write(Buffer.alloc(0), () => resolve());
      else resolve();
    });
  }
}

/** JSON if it is JSON, else text. */
function wantedBy(payload: Buffer): unknown {
  const text = payload.toString().trim();
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
