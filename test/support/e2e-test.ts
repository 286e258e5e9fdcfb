// Tests that need a mosquitto of their own: skipped with a reason where there is none, failed for it with CI=true.

import test, { type ExecutionContext } from 'ava';
import { type GatewayProcess, type GatewayStart, startGateway } from './gateway-process.js';
import { type Mosquitto, skipWithoutMosquitto, startMosquitto } from './mosquitto.js';
import { type Subscriber, type SubscriberOptions, subscribe } from './subscriber.js';

// By default mosquitto drops what a subscriber is more than 1000 messages behind with, and holds small packets back for up to
// 40 ms (Nagle's algorithm): its limits, not ours.
const PATIENT = 'allow_anonymous true\nmax_queued_messages 0\nmax_inflight_messages 0\nset_tcp_nodelay true';

export interface BrokerOptions {
  readonly port?: number;
  /** Folder in which it keeps sessions, so that a subscriber finds its own again after a restart. */
  readonly memory?: string;
}

/** Starts a mosquitto that waits for slow subscribers; stopped with the test. */
export async function brokerFor(t: ExecutionContext, { port, memory }: BrokerOptions = {}): Promise<Mosquitto> {
  const config = memory === undefined ? PATIENT : `${PATIENT}\n${rememberingIn(memory)}`;
  const broker = await startMosquitto({ config, ...(port !== undefined && { port }) });
  t.teardown(() => broker.stop());
  return broker;
}

function rememberingIn(folder: string): string {
  return `persistence true\npersistence_location ${folder}/\nqueue_qos0_messages true`;
}

/** Starts a gateway; killed with the test if it still runs. */
export function gatewayFor(t: ExecutionContext, start: GatewayStart): GatewayProcess {
  const gateway = startGateway(start);
  t.teardown(() => gateway.stop());
  return gateway;
}

/** Subscribes to everything; disconnected with the test. */
export async function subscriberFor(t: ExecutionContext, options: SubscriberOptions): Promise<Subscriber> {
  const subscriber = await subscribe(options);
  t.teardown(() => subscriber.close());
  return subscriber;
}

/** A test that needs mosquitto. One after the other within a file: they load the machine. */
export function brokerTest(title: string, body: (t: ExecutionContext) => Promise<void>): void {
  if (skipWithoutMosquitto === undefined) test.serial(title, body);
  else test.skip(`${title} (${skipWithoutMosquitto})`, () => {});
}
