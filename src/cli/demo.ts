// `ferrule demo`: a gateway with an embedded broker and virtual devices, readings live on the screen. Nothing needs to be
// installed or configured. What is shown has come over MQTT (demo/mqtt-watcher.ts): the demo proves the whole way. Only what
// stands "behind the wires" is read from the devices themselves, so that both can be compared.
//
//   virtual-plant -> pty/TCP -> gateway -> embedded broker -> mqtt-watcher -> device-board -> live or plain view

import { type Clock, systemClock } from '../core/clock.js';
import { FerruleError, messageOf } from '../core/errors.js';
import type { Log } from '../core/log.js';
import { Gateway } from '../gateway.js';
import { ARDUINO, type DemoLinks, demoConfig, LED, planDemo } from './demo/demo-config.js';
import { type DemoFolder, makeDemoFolder } from './demo/demo-folder.js';
import { DeviceBoard, type Happening } from './demo/device-board.js';
import { findHttpPort } from './demo/http-port.js';
import { commandTopic, type Introduction, introduce, MQTT_PORT, ownCommand } from './demo/introduction.js';
import { makeLineLog } from './demo/line-log.js';
import { portOfListener } from './demo/listener-port.js';
import { LiveView } from './demo/live-view.js';
import { watchTopics } from './demo/mqtt-watcher.js';
import { makePlainView } from './demo/plain-view.js';
import type { PlugTimes } from './demo/plug-cycle.js';
import type { View } from './demo/view.js';
import { ViewRelay } from './demo/view-relay.js';
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
  /** How long the thermometer is plugged in and out; for tests, which do not want to wait 30 s. */
  readonly plugTimes?: PlugTimes;
}

/** What the LED is told when the board is up, as anybody could tell it over MQTT. */
const BLINK = '{"blink":500}';

/** Runs the demo until a signal; gives the exit code. A port that cannot be had is a usage error: it came with the command. */
export async function runDemo(options: DemoOptions): Promise<number> {
  const { port, err } = options;
  if (port !== undefined && !(Number.isInteger(port) && port >= 0 && port <= 65535)) {
    err('--port: expected a port, 0 to 65535');
    return EXIT.usage;
  }
  const folder = await makeDemoFolder().catch(messageOf);
  if (typeof folder === 'string') {
    err(`the demo needs a folder for temporary files: ${folder}; name one that can be written in TMPDIR`);
    return EXIT.leftovers;
  }
  try {
    return await runIn(folder, options);
  } finally {
    await folder.remove();
  }
}

async function runIn(folder: DemoFolder, options: DemoOptions): Promise<number> {
  const { port, out, err, plugTimes } = options;
  const clock = systemClock;
  const early: string[] = [];
  const plant = await VirtualPlant.start({ clock, plugTimes, say: (line) => early.push(line) });
  const relay = new ViewRelay();
  const log = makeLineLog((line) => relay.log(line));
  try {
    const httpPort = await findHttpPort();
    const gateway = await startGateway({ links: plant.links, httpPort, dir: folder.path, clock, log }, port);
    if (typeof gateway === 'string') {
      err(gateway);
      return EXIT.usage;
    }
    if (port === undefined && portOf(gateway) !== MQTT_PORT) {
      early.push(`port ${MQTT_PORT} is taken (by another broker?): this one listens on ${portOf(gateway)}`);
    }
    const code = await showGateway({ ...options, gateway, httpPort, plant, folder, relay, early, log, clock });
    if (code === EXIT.clean) out('stopped cleanly');
    return code;
  } finally {
    await plant.close();
  }
}

interface GatewayParts {
  readonly links: DemoLinks;
  readonly httpPort: number;
  readonly dir: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** Starts it on the port asked for; without one on 1883, else on any. Answers in words if the port cannot be had. */
async function startGateway(parts: GatewayParts, port: number | undefined): Promise<Gateway | string> {
  const { links, httpPort, dir, clock, log } = parts;
  const plan = await planDemo(links, { mqtt: port ?? MQTT_PORT, http: httpPort }, dir);
  try {
    return await Gateway.start({ ...plan, clock, log, version });
  } catch (error) {
    if (!(error instanceof FerruleError && error.code === 'embedded-broker-port')) throw error;
    return port === undefined ? startGateway(parts, 0) : `--port: ${error.message}`;
  }
}

interface Show extends DemoOptions {
  readonly gateway: Gateway;
  readonly httpPort: number;
  readonly plant: VirtualPlant;
  readonly folder: DemoFolder;
  readonly relay: ViewRelay;
  /** Said before the introduction. */
  readonly early: readonly string[];
  readonly log: Log;
  readonly clock: Clock;
}

async function showGateway(show: Show): Promise<number> {
  const { gateway, plant, relay, log } = show;
  const board = new DeviceBoard(gateway.topics, show.clock);
  const view = makeView(show, board);
  const stopped = Promise.race([untilStopped(gateway, log), untilOutputGone(gateway)]);
  let unwatch = (): void => {};
  try {
    view.intro(await makeIntroduction(show));
    relay.to(view);
    plant.onHardware((device, text) => view.hardware(device, text));
    unwatch = watch(gateway, board, view, log);
    plant.startBoard().catch((error: unknown) => log.error({ err: error }, `no Arduino: ${messageOf(error)}`));
    return await stopped;
  } finally {
    view.end();
    unwatch();
  }
}

/** Starts to show what comes; answers how to stop. */
function watch({ brokerUrl, topics }: Gateway, board: DeviceBoard, view: View, log: Log): () => void {
  const watcher = watchTopics({
    url: brokerUrl,
    filter: `${topics.base}/#`,
    onMessage: (topic, payload) => {
      const happenings = board.take(topic, payload);
      view.happened(happenings);
      // Nothing is switched on by itself on a board that is up: somebody has to say so.
      if (happenings.some(isBoardUp)) watcher.publish(commandTopic(topics, ARDUINO, LED), BLINK);
    },
    onTrouble: (reason) => log.error(reason),
  });
  return () => watcher.stop();
}

function isBoardUp(happening: Happening): boolean {
  return happening.kind === 'state' && happening.device === ARDUINO && happening.state === 'online';
}

/** Everything that it speaks of is there: the sensor's port listens, the config lies on the disk. */
async function makeIntroduction({ gateway, httpPort, plant, folder, early, clock }: Show): Promise<Introduction> {
  const listenerPort = await portOfListener(gateway.device('sensors'), clock);
  if (listenerPort > 0) plant.startSensor(listenerPort);
  return introduce({
    version,
    early,
    httpPort,
    listenerPort,
    topics: gateway.topics,
    brokerUrl: gateway.brokerUrl,
    hasArduino: plant.links.arduino !== undefined,
    configFile: await folder.write(demoConfig(plant.links, { mqtt: portOf(gateway), http: httpPort })),
    command: ownCommand(process.argv[1]),
  });
}

function makeView({ clock, out, err, isTerminal, plant }: Show, board: DeviceBoard): View {
  if (!isTerminal) return makePlainView({ clock, out, err });
  const { NO_COLOR, TERM } = process.env;
  const hasColour = (NO_COLOR ?? '') === '' && TERM !== 'dumb';
  return new LiveView({ clock, terminal: process.stdout, board, plant: () => plant.view, hasColour, err });
}

/** `ferrule demo | head`, or a terminal that was closed: nobody looks any more, so the demo ends as if asked to. */
function untilOutputGone(gateway: Gateway): Promise<number> {
  return new Promise((resolve) => {
    process.stdout.on('error', () => void gateway.stop('nobody reads the output').then(() => resolve(EXIT.clean)));
  });
}

function portOf(gateway: Gateway): number {
  return Number(new URL(gateway.brokerUrl).port);
}
