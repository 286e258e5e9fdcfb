// The server of the gateway as its config has it: none, one, or after a reload another one. Loads nothing where http is off.

import { parseListenAddress } from '../config/listen-address.js';
import type { HttpConfig } from '../config/schema.js';
import type { Clock, Timer } from '../core/clock.js';
import type { Log } from '../core/log.js';
import type { GatewayView } from './gateway-view.js';
import type { HttpServer } from './http-server.js';

/** A gateway that starts connects its devices and its broker first: what HTTP loads would keep the first readings waiting. */
const SOON_MS = 250;

export interface HttpDoorOptions {
  readonly gateway: GatewayView;
  readonly clock: Clock;
  readonly log: Log;
}

export class HttpDoor {
  readonly #options: HttpDoorOptions;
  #server: HttpServer | undefined;
  #settings = 'false';
  #soon: Timer | undefined;
  #applying: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(options: HttpDoorOptions) {
    this.#options = options;
  }

  /** Serves by these settings in a moment, unless others come before. */
  applySoon(config: HttpConfig): void {
    this.#soon = this.#options.clock.after(SOON_MS, () => void this.apply(config));
  }

  /** Serves by these settings from now on; does nothing if they are the same. Does not wait for a port that is taken. */
  apply(config: HttpConfig): Promise<void> {
    this.#soon?.cancel();
    const applied = this.#applying.then(() => this.#apply(config));
    this.#applying = applied.catch(() => {});
    return applied;
  }

  async #apply(config: HttpConfig): Promise<void> {
    const settings = JSON.stringify(config);
    if (this.#isClosed || settings === this.#settings) return;
    this.#settings = settings;
    await this.#server?.close();
    this.#server = undefined;
    if (config === false) return;
    const { HttpServer } = await import('./http-server.js');
    const address = parseListenAddress(config.listen);
    if (this.#isClosed || address === undefined) return; // the schema has seen to it that there is one
    this.#server = new HttpServer({ ...this.#options, address, token: config.token });
    this.#server.start();
  }

  /** Serves no more. Never rejects. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#soon?.cancel();
    await this.#server?.close();
    this.#server = undefined;
  }
}
