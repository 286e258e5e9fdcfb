// `ferrule demo`: a gateway with an embedded broker and virtual devices, readings live on the screen. Nothing needs to be
// installed or configured. What is shown has come over MQTT (demo/mqtt-watcher.ts): the demo proves the whole way.
//
//   virtual-plant -> pty/TCP -> gateway -> embedded broker -> mqtt-watcher -> device-board -> live or plain view

import { type Clock, sleep, systemClock } from '../core/clock.js';
import { FerruleError } from '../core/errors.js';
import type { Log } from '../core/log.js';
import { Gateway } from '../gateway.js';
import { ServerManager } from '../group/server-manager.js';
import { type DemoLinks, planDemo } from './demo/demo-config.js';
import { DeviceBoard } from './demo/device-board.js';
import { makeLineLog } from './demo/line-log.js';
import { LiveView } from './demo/live-view.js';
import { watchTopics } from './demo/mqtt-watcher.js';
import { makePlainView } from './demo/plain-view.js';
import type { View } from './demo/view.js';
import { VirtualPlant } from './demo/virtual-plant.js';
import { EXIT } from './exit-codes.js';
import { untilStopped } from './run.js';
import { version } from './version.js';

export interface DemoOptions {
  /** Port of the embedded broker, 0 = the system chooses. Absent: 1883, or a free one if that is taken. */
  readonly port?: number | undefined;
  /** Prints a line. */
  readonly out: (line: string) => void;
  readonly err: (line: string) => void;
  readonly isTerminal: boolean;
}

const DEFAULT_PORT = 1883;
/** How long the listener of the demo may take to listen, ms; it takes a few. */
const LISTEN_LIMIT_MS = 2000;

/** Runs the demo until a signal; gives the exit code. A port that cannot be had is a usage error: it came with the command. */
export async function runDemo({ port, out, err, isTerminal }: DemoOptions): Promise<number> {
  if (port !== undefined && !(Number.isInteger(port) && port >= 0 && port <= 65535)) {
    err('--port: expected a port, 0 to 65535');
    return EXIT.usage;
  }
  const clock = systemClock;
  const early: string[] = [];
  const plant = await VirtualPlant.start({ clock, say: (line) => early.push(line) });
  const relay = new ViewRelay();
  const log = makeLineLog((line) => relay.log(line));
  try {
    const gateway = await startGateway(plant.links, port, clock, log);
    if (typeof gateway === 'string') {
      err(gateway);
      return EXIT.usage;
    }
    if (port === undefined && portOf(gateway) !== DEFAULT_PORT) {
      early.push(`port ${DEFAULT_PORT} is taken (by another broker?): this one listens on ${portOf(gateway)}`);
    }
    const code = await showGateway({ gateway, plant, relay, early, log, clock, out, err, isTerminal });
    if (code === EXIT.clean) out('stopped cleanly');
    return code;
  } finally {
    await plant.close();
  }
}

/** Log lines come before there is a view: kept for it. */
class ViewRelay {
  #view: View | undefined;
  #early: Parameters<View['log']>[0][] = [];

  log(line: Parameters<View['log']>[0]): void {
    if (this.#view) this.#view.log(line);
    else this.#early.push(line);
  }

  to(view: View): void {
    this.#view = view;
    for (const line of this.#early.splice(0)) view.log(line);
  }
}

/** Starts it on the port asked for; without one on 1883, else on any. Answers in words if the port cannot be had. */
async function startGateway(
  links: DemoLinks,
  port: number | undefined,
  clock: Clock,
  log: Log,
): Promise<Gateway | string> {
  const plan = await planDemo(links, port ?? DEFAULT_PORT);
  try {
    return await Gateway.start({ ...plan, clock, log, version });
  } catch (error) {
    if (!(error instanceof FerruleError && error.code === 'embedded-broker-port')) throw error;
    return port === undefined ? startGateway(links, 0, clock, log) : `--port: ${error.message}`;
  }
}

interface Show {
  readonly gateway: Gateway;
  readonly plant: VirtualPlant;
  readonly relay: ViewRelay;
  /** Said before the introduction. */
  readonly early: readonly string[];
  readonly log: Log;
  readonly clock: Clock;
  readonly out: (line: string) => void;
  readonly err: (line: string) => void;
  readonly isTerminal: boolean;
}

async function showGateway(show: Show): Promise<number> {
  const { gateway, plant, relay, log, clock } = show;
  const board = new DeviceBoard(gateway.topics, clock);
  const view = makeView(show, board);
  const stopped = Promise.race([untilStopped(gateway, log), untilOutputGone(gateway)]);
  let unwatch = (): void => {};
  try {
    const listenerPort = await portOfListener(gateway, clock);
    if (listenerPort > 0) plant.startSensor(listenerPort);
    view.intro([...show.early, ...introduction(gateway, listenerPort)]);
    relay.to(view);
    unwatch = watchTopics({
      url: gateway.brokerUrl,
      filter: `${gateway.topics.base}/#`,
      onMessage: (topic, payload) => view.happened(board.take(topic, payload)),
      onTrouble: (reason) => log.error(reason),
    });
    return await stopped;
  } finally {
    view.end();
    unwatch();
  }
}

function makeView({ clock, out, err, isTerminal }: Show, board: DeviceBoard): View {
  if (!isTerminal) return makePlainView({ clock, out, err });
  const { NO_COLOR, TERM } = process.env;
  const hasColour = (NO_COLOR ?? '') === '' && TERM !== 'dumb';
  return new LiveView({ clock, terminal: process.stdout, board, hasColour, err });
}

/** `ferrule demo | head`, or a terminal that was closed: nobody looks any more, so the demo ends as if asked to. */
function untilOutputGone(gateway: Gateway): Promise<number> {
  return new Promise((resolve) => {
    process.stdout.on('error', () => void gateway.stop('nobody reads the output').then(() => resolve(EXIT.clean)));
  });
}

async function portOfListener(gateway: Gateway, clock: Clock): Promise<number> {
  const sensors = gateway.device('sensors');
  if (!(sensors instanceof ServerManager)) return 0;
  for (const startedAt = clock.now(); sensors.port === 0 && clock.now() - startedAt < LISTEN_LIMIT_MS; ) {
    await sleep(clock, 5);
  }
  return sensors.port;
}

function portOf(gateway: Gateway): number {
  return Number(new URL(gateway.brokerUrl).port);
}

function introduction({ brokerUrl, topics }: Gateway, listenerPort: number): string[] {
  const { hostname, port } = new URL(brokerUrl);
  const at = `-h ${hostname} -p ${port}`;
  const [set = ''] = topics.commandFilters('scale');
  return [
    `Ferrule ${version} demo: broker on ${hostname}:${port}, topics below ${topics.base}`,
    '',
    'Try in another terminal (with mosquitto-clients, or any other MQTT client):',
    `  mosquitto_sub ${at} -t '${topics.base}/#' -v`,
    `  mosquitto_pub ${at} -t ${set} -m tare`,
    `  mosquitto_pub ${at} -t ${topics.commandFilters('thermometer')[0]}/unit -m F`,
    `  nc 127.0.0.1 ${listenerPort}        # be a sensor: each line that you type is a reading`,
    'The thermometer is unplugged every 30 s and comes back. Ctrl-C ends the demo.',
    '',
  ];
}
