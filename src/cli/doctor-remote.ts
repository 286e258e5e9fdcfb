// `ferrule doctor` over the network: whether the broker lets us in, and what a running gateway says of itself.

import { randomUUID } from 'node:crypto';
import type { Config } from '../config/schema.js';
import type { Health } from '../control/health.js';
import type { Clock } from '../core/clock.js';
import { messageOf } from '../core/errors.js';
import { accessOptions } from '../uplink/config-options.js';
import { EMBEDDED_VERSION } from '../uplink/embedded-broker.js';
import { openSession } from '../uplink/open-session.js';
import type { SessionHooks } from '../uplink/session.js';
import { brokerAccess } from './broker-access.js';
import { type Examination, type Finding, fail, info, ok, warn } from './doctor-finding.js';
import { CommandTrouble, GatewayClient } from './gateway-client.js';
import type { ShownDevice } from './status-table.js';

const CONNECT_MS = 4000;
const ANSWER_MS = 2500;
const TOLD_TRANSITIONS = 8;

const NO_HOOKS: SessionHooks = {
  onMessage: () => {},
  onAck: () => {},
  onAcksRead: () => {},
  onDrain: () => {},
  onLost: () => {},
};

/** One connection as the gateway makes it, but under a name of its own, so that a running gateway is not thrown out. */
export async function examineBroker({ mqtt }: Config, clock: Clock): Promise<Examination> {
  const access = brokerAccess(mqtt, 'doctor');
  if (!access.ok) return { findings: [info(access.sentence)] };
  const isEmbedded = mqtt.url === 'embedded';
  const startedAt = clock.now();
  try {
    const session = await openSession(sessionOptions(mqtt, access.url, clock), NO_HOOKS, new AbortController().signal);
    const tookMs = Math.round(clock.now() - startedAt);
    const findings = [
      ok(`${access.url} lets us in after ${tookMs} ms (MQTT ${isEmbedded ? '3.1.1' : versionName(mqtt.version)})`),
      ...session.notes.map((note) => warn(note)),
    ];
    await session.end();
    return { findings };
  } catch (error) {
    const words = messageOf(error);
    return { findings: [isEmbedded ? info(`${words} (it runs in the gateway)`) : fail(words)] };
  }
}

/** What the gateway answers over MQTT, if it runs. */
export async function examineGateway(config: Config, clock: Clock): Promise<Examination> {
  try {
    return await GatewayClient.visit({ config, who: 'doctor', clock, waitMs: ANSWER_MS }, async (client) => {
      const [health, devices, threads] = await Promise.all(
        ['health_check', 'devices', 'threads'].map((path) => client.request(path)),
      );
      // The answers of our own gateway.
      const findings = gatewayFindings(health as Health, devices as ShownDevice[], threads as ThreadTree[]);
      return { findings, data: { health, devices, threads } };
    });
  } catch (error) {
    if (!(error instanceof CommandTrouble)) throw error;
    return { findings: [warn(`nothing is known of a running gateway: ${error.message}`)] };
  }
}

interface ThreadTree {
  readonly id: string;
  readonly history?: readonly {
    readonly from: string;
    readonly to: string;
    readonly reason: string;
    readonly at: string;
  }[];
  readonly children?: readonly ThreadTree[];
}

function gatewayFindings(
  { status, broker, reasons, dropped }: Health,
  devices: readonly ShownDevice[],
  threads: readonly ThreadTree[],
): Finding[] {
  const online = devices.filter(({ state }) => state === 'online').length;
  const words = `the gateway runs: ${status}, ${online} of ${devices.length} devices online, broker ${broker}, ${dropped} messages dropped`;
  return [
    ...(status === 'ok' ? [ok(words)] : [warn(words, 'see `ferrule status`')]),
    ...reasons.map((reason) => warn(reason)),
    ...lastTransitions(threads).map((line) => info(line)),
  ];
}

/** The last changes of state of all groups, oldest first. */
function lastTransitions(threads: readonly ThreadTree[]): string[] {
  const all = threads.flatMap(transitionsOf).sort((a, b) => a.at.localeCompare(b.at));
  return all
    .slice(-TOLD_TRANSITIONS)
    .map(({ id, from, to, reason, at }) => `${at} ${id}: ${from} -> ${to}${reason === '' ? '' : ` (${reason})`}`);
}

function transitionsOf({
  id,
  history = [],
  children = [],
}: ThreadTree): (NonNullable<ThreadTree['history']>[number] & { id: string })[] {
  return [...history.map((transition) => ({ id, ...transition })), ...children.flatMap(transitionsOf)];
}

function sessionOptions(mqtt: Config['mqtt'], url: string, clock: Clock): Parameters<typeof openSession>[0] {
  return {
    url,
    version: mqtt.url === 'embedded' ? EMBEDDED_VERSION : mqtt.version,
    clientId: `ferrule-doctor-${randomUUID()}`,
    keepaliveSeconds: Math.ceil(mqtt.keepalive / 1000),
    connectTimeoutMs: CONNECT_MS,
    clock,
    ...accessOptions(mqtt),
  };
}

function versionName(version: 4 | 5): string {
  return version === 5 ? '5' : '3.1.1';
}
