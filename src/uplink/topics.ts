// The only place where MQTT topic strings are made or read (DESIGN section 5). Everything else speaks of devices, verbs
// and channels. Device names may contain '/', so a command's topic is read from its right end: the words `set`, `get`
// and `write` are reserved, no segment of a device name is one of them.
//
//   <base>/<device>[/availability|/response|/dead_letter|/tap[/raw]]  up
//   <base>/<device>/set[/<channel>] | /get[/<channel>] | /write     down
//   <base>/bridge/...                                          about the gateway itself

import { FerruleError } from '../core/errors.js';

/** What a command topic asks for. */
export type CommandVerb = 'set' | 'get' | 'write';

/** A command topic, taken apart. */
export interface CommandTopic {
  readonly device: string;
  readonly verb: CommandVerb;
  /** From `set/<channel>` and `get/<channel>`. */
  readonly channel?: string;
}

/** The topics of one gateway. Names given to it are already checked (config): no `+`, `#`, nor reserved segment. */
export interface Topics {
  readonly base: string;
  readings(device: string): string;
  availability(device: string): string;
  response(device: string): string;
  deadLetter(device: string): string;
  /** What goes over its line, while somebody watches. */
  tap(device: string): string;
  rawTap(device: string): string;
  readonly bridge: {
    readonly state: string;
    readonly info: string;
    readonly devices: string;
    readonly health: string;
    readonly event: string;
    readonly logging: string;
    /** The filter for requests to the gateway itself. */
    readonly requests: string;
    request(path: string): string;
    response(path: string): string;
  };
  /** The exact filters that carry commands for this device. */
  commandFilters(device: string): string[];
  /** Reads a topic that one of the command filters let through; `undefined` for anything else. */
  parseCommand(topic: string): CommandTopic | undefined;
  /** The path of a request to the gateway (`device/get`); `undefined` for any other topic. */
  parseRequest(topic: string): string | undefined;
}

/** Makes the topics below `base`, e.g. `ferrule/press-line-3`. Throws where no topic can begin that way. */
export function makeTopics(base: string): Topics {
  checkBase(base);
  const prefix = `${base}/`;
  const bridge = `${base}/bridge`;
  const requestPrefix = `${bridge}/request/`;
  return {
    base,
    readings: (device) => prefix + device,
    availability: (device) => `${prefix}${device}/availability`,
    response: (device) => `${prefix}${device}/response`,
    deadLetter: (device) => `${prefix}${device}/dead_letter`,
    tap: (device) => `${prefix}${device}/tap`,
    rawTap: (device) => `${prefix}${device}/tap/raw`,
    bridge: {
      state: `${bridge}/state`,
      info: `${bridge}/info`,
      devices: `${bridge}/devices`,
      health: `${bridge}/health`,
      event: `${bridge}/event`,
      logging: `${bridge}/logging`,
      requests: `${requestPrefix}#`,
      request: (path) => requestPrefix + path,
      response: (path) => `${bridge}/response/${path}`,
    },
    commandFilters: (device) => ['set', 'set/+', 'get', 'get/+', 'write'].map((tail) => `${prefix}${device}/${tail}`),
    parseCommand: (topic) => (topic.startsWith(prefix) ? commandOf(topic.slice(prefix.length).split('/')) : undefined),
    parseRequest: (topic) => (topic.startsWith(requestPrefix) ? topic.slice(requestPrefix.length) : undefined),
  };
}

function checkBase(base: string): void {
  const bad = base === '' || /[+#\0]|^\/|\/$/.test(base) || base.startsWith('$');
  if (!bad) return;
  throw new FerruleError(
    'bad-base-topic',
    `base topic "${base}": must not be empty, begin with "$", contain "+" or "#", nor begin or end with "/"`,
  );
}

// `dev/set/get` is channel `get` of `dev`, since no device is named `dev/set`: so the form with a channel is tried first.
function commandOf(segments: readonly string[]): CommandTopic | undefined {
  const last = segments.at(-1);
  const beforeLast = segments.at(-2);
  if (segments.length >= 3 && (beforeLast === 'set' || beforeLast === 'get')) {
    return last ? addressed(segments.slice(0, -2), { verb: beforeLast, channel: last }) : undefined;
  }
  if (last === 'set' || last === 'get' || last === 'write') return addressed(segments.slice(0, -1), { verb: last });
  return undefined;
}

function addressed(device: readonly string[], what: Omit<CommandTopic, 'device'>): CommandTopic | undefined {
  if (device.length === 0 || device.includes('') || device[0] === 'bridge') return undefined;
  return { device: device.join('/'), ...what };
}
