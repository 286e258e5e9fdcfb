// What the gateway tells of itself, unasked: `bridge/devices` and `bridge/health` (retained), and every change of state on
// `bridge/event`. Listens to the registry; a burst of changes becomes one message each.

import type { Clock, Timer } from '../core/clock.js';
import type { ThreadGroup } from '../core/thread-group.js';
import type { RegistryEvent, ThreadRegistry } from '../core/thread-registry.js';
import type { DownMessage, EventUp } from '../device/message.js';

/** Changes within this time are told together, ms. */
const GATHER_MS = 1000;
/** Connections of one listener that are listed; the rest is only counted. */
const LISTED_CONNECTIONS = 64;

/** What is known of a device besides its group. */
export interface DeviceFacts {
  readonly driver: string;
  /** String form of the link, without credentials. */
  readonly link: string;
  /** It is in the config, and is not to run. */
  readonly isDisabled?: boolean;
  /** Further keys that are shown. */
  readonly more?: Readonly<Record<string, unknown>>;
}

export interface InventoryOptions {
  readonly clock: Clock;
  readonly registry: ThreadRegistry<DownMessage>;
  /** The devices of the config. */
  readonly names: () => readonly string[];
  readonly facts: (device: string) => DeviceFacts | undefined;
  /** Messages of a device, its connections included, that will never reach the broker. */
  readonly dropped?: (device: string) => number;
  readonly publishDevices: (payload: string) => void;
  /** Told together with the devices. */
  readonly publishHealth?: () => void;
  readonly publishEvent: (event: EventUp) => void;
}

export class Inventory {
  readonly #options: InventoryOptions;
  readonly #unwatch: () => void;
  #timer: Timer | undefined;
  #isClosed = false;

  constructor(options: InventoryOptions) {
    this.#options = options;
    this.#unwatch = options.registry.watch((event) => this.#onEvent(event));
  }

  /** Publishes what gathers now. */
  flush(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#options.publishDevices(JSON.stringify(this.list()));
    this.#options.publishHealth?.();
  }

  /** Something that `list` shows has changed: it is published with what else changes in the next second. */
  refresh(): void {
    if (!this.#isClosed) this.#timer ??= this.#options.clock.after(GATHER_MS, () => this.flush());
  }

  /** Nothing is published any more. */
  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#unwatch();
  }

  /** All devices, as on `bridge/devices`. */
  list(): Record<string, unknown>[] {
    const { registry, names, facts, dropped = () => 0 } = this.#options;
    return names().map((name) => {
      const group = registry.get(name);
      const { isDisabled = false, more, ...shown } = facts(name) ?? {};
      const body = group === undefined ? { state: isDisabled ? 'disabled' : 'closed' } : describe(group);
      return { name, ...shown, ...body, ...more, dropped: dropped(name) };
    });
  }

  #onEvent(event: RegistryEvent): void {
    const facts = this.#options.facts(event.group);
    if (event.kind === 'transition' && facts !== undefined) {
      const { from, to, reason, at } = event.transition;
      this.#options.publishEvent({
        kind: 'event',
        event: 'state',
        data: { device: event.group, from, to, reason, at },
      });
    }
    this.refresh();
  }
}

/** Keys as everywhere on the wire and in the config: `bytesIn` -> `bytes_in`. */
function snakeKeys(counters: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const snake = (key: string): string => key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  return Object.fromEntries(Object.entries(counters).map(([key, value]) => [snake(key), value]));
}

/** Not made from the group's view, which would be one of each of thousands of connections too. */
function describe(group: ThreadGroup): Record<string, unknown> {
  const { state, since, reason } = group.state;
  const counters = snakeKeys(group.figures());
  const body = { state, since: new Date(since).toISOString(), reason, counters };
  if (group.childCount === 0) return body;
  const listed = group.children.slice(0, LISTED_CONNECTIONS);
  const connections = listed.map((child) => ({ name: child.id, state: child.state.state }));
  return { ...body, connections, connections_total: group.childCount };
}
