// A gateway with one device in trouble and a healthy neighbour, against mosquitto: what the log and `bridge/devices` say of
// the one, and that the other has lost nothing.

import type { ExecutionContext } from 'ava';
import { brokerFor, gatewayFor, subscriberFor } from './e2e-test.js';
import { eventually } from './eventually.js';
import type { GatewayProcess, LogLine } from './gateway-process.js';
import { type Neighbour, startNeighbour } from './neighbour.js';
import type { Received, Subscriber } from './subscriber.js';

const BASE = 'ferrule/e2e';
const NEIGHBOUR = 'neighbour';

/** A dead letter as it arrives. */
export interface DeadLetter {
  readonly reason: string;
  readonly hex: string;
  readonly dropped_bytes?: number;
  readonly suppressed?: number;
}

export interface TroubleOptions {
  /** Devices beside the neighbour. */
  readonly devices: Readonly<Record<string, object>>;
  /** Further sections of the config. */
  readonly config?: object;
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts broker, subscriber, neighbour and gateway; the neighbour talks when this resolves. All end with the test. */
export async function startTrouble(t: ExecutionContext, options: TroubleOptions): Promise<TroubleRig> {
  const broker = await brokerFor(t);
  const subscriber = await subscriberFor(t, { port: broker.port });
  const neighbour = await startNeighbour(t);
  const gateway = gatewayFor(t, {
    config: {
      gateway: { id: 'e2e' },
      mqtt: { url: `mqtt://127.0.0.1:${broker.port}` },
      ...options.config,
      devices: { ...options.devices, [NEIGHBOUR]: neighbour.device },
    },
    ...(options.env && { env: options.env }),
  });
  // Else what is said before the broker is there may come beside newer readings, as kept ones do.
  await subscriber.says(`${BASE}/bridge/state`, { state: 'online' });
  await neighbour.talk();
  return new TroubleRig(t, gateway, subscriber, neighbour);
}

export class TroubleRig {
  readonly gateway: GatewayProcess;
  readonly subscriber: Subscriber;
  readonly #t: ExecutionContext;
  readonly #neighbour: Neighbour;

  constructor(t: ExecutionContext, gateway: GatewayProcess, subscriber: Subscriber, neighbour: Neighbour) {
    this.#t = t;
    this.gateway = gateway;
    this.subscriber = subscriber;
    this.#neighbour = neighbour;
  }

  /** Waits for a line of the log about `device`; `text`: part of its message. */
  says(device: string, text: string, withinMs?: number): Promise<LogLine> {
    return this.gateway.waitForLog(({ group, msg }) => group === device && msg.includes(text), withinMs);
  }

  /** Waits until `bridge/devices` shows `device` in `state`; answers its entry. */
  async shows(device: string, state: string): Promise<Record<string, unknown>> {
    const find = (): Record<string, unknown> | undefined => {
      const listed = this.subscriber.last(`${BASE}/bridge/devices`) as Record<string, unknown>[] | undefined;
      return listed?.find((entry) => entry.name === device && entry.state === state);
    };
    await eventually(() => find() !== undefined, `${device} ${state} in bridge/devices`);
    return find() ?? {};
  }

  /** What has arrived on `<base>/<device>`. */
  readings(device: string): readonly Received[] {
    return this.subscriber.on(`${BASE}/${device}`);
  }

  /** Waits for so many readings of a device; answers their payloads. */
  async payloads(device: string, count: number): Promise<Buffer[]> {
    await this.subscriber.count(`${BASE}/${device}`, count);
    return this.readings(device).map(({ payload }) => payload);
  }

  /** Waits for so many dead letters of a device. */
  async deadLetters(device: string, count: number): Promise<DeadLetter[]> {
    const topic = `${BASE}/${device}/dead_letter`;
    await this.subscriber.count(topic, count);
    return this.subscriber.texts(topic).map((text) => JSON.parse(text));
  }

  /** The end of every test: the neighbour has lost nothing, and no line of the log complains of it. */
  async neighbourIsWhole(): Promise<void> {
    const { received } = await this.#neighbour.mustBeWhole(this.#t, this.subscriber, `${BASE}/${NEIGHBOUR}`);
    const complaints = this.gateway.log.filter(
      ({ group, level }) => group === NEIGHBOUR && (level === 'warn' || level === 'error'),
    );
    this.#t.deepEqual(complaints, []);
    this.#t.log(`neighbour: ${received} lines, 0 lost`);
  }
}
