// Starts a rig: folder, broker, config, the test's client, the gateway. What was made is ended again if the rest fails.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type Clock, systemClock } from '../core/clock.js';
import { startEmbeddedBroker } from '../uplink/embedded-broker.js';
import { openPty } from './pty.js';
import { CONFIG_FILE, Rig } from './rig.js';
import { RigClient } from './rig-client.js';
import { RigConfig } from './rig-config.js';
import { Endings } from './rig-endings.js';
import { RigError } from './rig-error.js';
import { RIG_FOLDER } from './rig-folder.js';
import { describeEnd, RigGateway, type RigLogLine } from './rig-gateway.js';
import { RigLines } from './rig-lines.js';
import { Mailbox } from './rig-mailbox.js';
import { matches } from './rig-matcher.js';
import type { RigMessage } from './rig-message.js';
import { Timeline } from './rig-timeline.js';

/** How long the gateway may take to come up, ms; it takes about half a second. */
const UP_MS = 30_000;
const STOP_MS = 10_000;
/** Lines of the log that are shown where the gateway did not come up. */
const SHOWN_LOG = 20;
/** Long, and of no device, or what the rig itself asks: not in the timeline. */
const QUIET_TOPIC = /^bridge\/(?:info|devices|health|(?:request|response)\/(?:reload|devices))$/;

/** What a rig is made of. */
export interface RigOptions {
  /**
   * The config of the gateway, as in ferrule.yaml: its text, or what it says as an object. A device without an address (no
   * `link`, or one with settings only, such as `{ baud_rate: 115200 }`) waits until `serial`, `tcp` or `avr` gives it one.
   * Broker and `data_dir` are the rig's own; a relative `drivers_dir` counts from the working directory.
   */
  readonly config: string | object;
  /** Added to the gateway's environment, which has no FERRULE_... of this process. */
  readonly env?: Readonly<Record<string, string>>;
  /** Of the random numbers of faults; the same seed garbles the same bytes. Default 1. */
  readonly seed?: number;
  /** How long `stop` waits for an orderly end before it kills the gateway, ms. Default 10 s; the gateway gives itself 8 s. */
  readonly stopWithinMs?: number;
  /** Told what the rig cannot do here, in one line. Default: stderr. */
  readonly say?: (line: string) => void;
}

/** What a rig takes from the world; replaced in its own tests. */
export interface RigWorld {
  readonly clock: Clock;
  readonly openPty: typeof openPty;
}

/** Starts a rig. See `rig` in hil.ts. */
export async function startRig(options: RigOptions, world: Partial<RigWorld> = {}): Promise<Rig> {
  const endings = new Endings();
  try {
    return await start(options, { clock: systemClock, openPty, ...world }, endings);
  } catch (error) {
    await endings.run().catch(() => {}); // the first error is the one to tell
    throw error;
  }
}

/** `endings` knows at each step what there is to end. */
async function start(options: RigOptions, { clock, openPty: open }: RigWorld, endings: Endings): Promise<Rig> {
  const { env = {}, seed = 1, stopWithinMs = STOP_MS, say = toStderr } = options;
  const dir = mkdtempSync(path.join(tmpdir(), RIG_FOLDER));
  endings.add(() => rmSync(dir, { recursive: true, force: true }));
  const broker = await startEmbeddedBroker({ port: 0 });
  endings.add(() => broker.close());
  const dataDir = path.join(dir, 'data');
  const configFile = path.join(dir, CONFIG_FILE);
  const config = new RigConfig({ config: options.config, brokerUrl: broker.url, dataDir, cwd: process.cwd() });
  writeFileSync(configFile, config.text());

  const timeline = new Timeline(clock);
  const mailbox = new Mailbox(clock);
  endings.add(() => mailbox.close());
  const listeners = new Set([(message: RigMessage) => mailbox.take(message)]);
  const client = await connect(broker.url, config.base, clock, timeline, listeners);
  endings.add(() => client.close());
  const gateway = new RigGateway({ configFile, cwd: dir, clock, env, onLine: (line) => logTo(timeline, line) });
  endings.add(() => gateway.stop(stopWithinMs));
  await untilUp(gateway, mailbox);
  const lines = new RigLines({ dir, clock, say, openPty: open });
  const parts = { dir, config, gateway, client, mailbox, timeline, lines, clock, seed, stopWithinMs };
  return new Rig({ ...parts, listeners, endings });
}

/** The test's own client: the timeline and the listeners are told of all that it hears. */
function connect(
  url: string,
  base: string,
  clock: Clock,
  timeline: Timeline,
  listeners: ReadonlySet<(message: RigMessage) => void>,
): Promise<RigClient> {
  return RigClient.connect({
    url,
    base,
    clock,
    onPublish: (topic, payload) => tell(timeline, 'commanded', topic, payload),
    onMessage: (message) => {
      tell(timeline, 'published', message.topic, message.payload);
      for (const listener of [...listeners]) listener(message);
    },
  });
}

function toStderr(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Resolves when the gateway is online; rejects with its log if it does not come up. */
async function untilUp(gateway: RigGateway, mailbox: Mailbox): Promise<void> {
  const isOnline = (message: RigMessage): boolean => matches({ state: 'online' }, message);
  const up = mailbox.next('bridge/state', isOnline, UP_MS);
  const first = await Promise.race([up, gateway.ended]);
  if (typeof first === 'object' && 'payload' in first) return;
  const how = typeof first === 'string' ? ` within ${UP_MS} ms` : `: it ended with ${describeEnd(first)}`;
  throw new RigError('rig-start', [`the gateway did not come up${how}`, ...gateway.tail(SHOWN_LOG)].join('\n'));
}

function tell(timeline: Timeline, kind: 'published' | 'commanded', topic: string, payload: Buffer): void {
  if (!QUIET_TOPIC.test(topic)) timeline.message(kind, topic, payload);
}

function logTo(timeline: Timeline, { level, msg, group, thread, time }: RigLogLine): void {
  if (level !== 'warn' && level !== 'error' && level !== 'text') return;
  if (msg.startsWith('no devices: ')) return; // they come when the test puts them on
  const who = [group, thread].filter((part) => part !== undefined).join('/');
  timeline.log(level, who === '' ? msg : `${who}: ${msg}`, Date.parse(String(time)));
}
