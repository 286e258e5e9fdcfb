// The names of hosts, looked up for the openers of all links. The system's way (getaddrinfo) cannot be called off, and of Node's four
// helper threads two do that: three devices that are switched off, whose names take ten seconds not to be found, would keep every other
// name waiting behind them, that of a device in the hosts file too. So a name is looked up once for all who ask meanwhile; and of the
// names that were long in vain only one at a time is looked up again: who asks for another is told at once what was found out last.

import dns, { type LookupAddress, type LookupAllOptions } from 'node:dns';
import type { LookupFunction } from 'node:net';
import type { Clock } from '../../core/clock.js';

/** A name that is not found in less keeps others waiting, ms. */
const LONG_MS = 1000;

type Found = (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void;

export interface NameLookupsOptions {
  readonly clock: Clock;
  /** Default: Node's own. Calls back once, and not at once. */
  readonly system?: (host: string, options: LookupAllOptions, found: Found) => void;
}

export class NameLookups {
  readonly #options: NameLookupsOptions;
  /** Who waits, by name. */
  readonly #waiting = new Map<string, Found[]>();
  /** Names whose last lookup was long in vain, and what it said. */
  readonly #vain = new Map<string, NodeJS.ErrnoException>();
  /** The one of those that is looked up again. */
  #retried: string | undefined;

  constructor(options: NameLookupsOptions) {
    this.#options = options;
  }

  /** For `net.connect`; whoever asks does so with the same options. */
  readonly lookup: LookupFunction = (host, options, callback) => {
    const found: Found = (error, addresses) => {
      if (options.all) callback(error, addresses);
      else callback(error, addresses[0]?.address ?? '', addresses[0]?.family);
    };
    const others = this.#waiting.get(host);
    const error = this.#vain.get(host);
    if (others !== undefined) others.push(found);
    else if (error !== undefined && this.#retried !== undefined) process.nextTick(found, error, []);
    else this.#begin(host, { ...options, all: true }, found);
  };

  #begin(host: string, options: LookupAllOptions, first: Found): void {
    const { clock, system = dns.lookup } = this.#options;
    const beganAt = clock.now();
    const waiting = [first];
    this.#waiting.set(host, waiting);
    if (this.#vain.has(host)) this.#retried = host;
    system(host, options, (error, addresses) => {
      this.#waiting.delete(host);
      if (this.#retried === host) this.#retried = undefined;
      if (error !== null && clock.now() - beganAt >= LONG_MS) this.#vain.set(host, error);
      else this.#vain.delete(host);
      for (const found of waiting) found(error, addresses);
    });
  }
}
