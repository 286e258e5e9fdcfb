// The one schema of the config file. Types, defaults, checks, the JSON Schema for editors (`json-schema.ts`) and the
// README's table (`reference.ts`) all come from here. Keys are as in YAML; durations come out in ms, sizes in bytes.
// What one value cannot know (two devices on one port, names against names) is checked in `cross-check.ts`.

import { z } from 'zod';
import { hasControlCharacter } from './device-name.js';
import { framingSchema } from './framing-schema.js';
import { linkDefaultsSchema, linkSchema } from './link-schema.js';
import { parseLink } from './link-string.js';
import { parseListenAddress } from './listen-address.js';
import { bytes, duration, integer, oneOf, orFalse, port, sentence, size } from './values.js';

const text = () =>
  z
    .string()
    .min(1)
    .max(256)
    .refine((value) => !hasControlCharacter(value), { error: 'a string without control characters' });

const reconnect = (first: string, max: string) =>
  z
    .strictObject({
      first: duration({ min: 10, max: 3_600_000 }).prefault(first).describe('First wait after a loss'),
      max: duration({ min: 10, max: 86_400_000 })
        .prefault(max)
        .describe('Longest wait; waits double up to it, with jitter'),
    })
    .refine((waits) => waits.first <= waits.max, { error: 'at least as long as `first`', path: ['max'] })
    .prefault({});

const gatewaySchema = z.strictObject({
  id: text()
    .regex(/^[^$+#/\s][^+#/\s]*$/, { error: 'an id without spaces and without + # /, not beginning with $' })
    .optional()
    .describe('Names this gateway in topics; default: BALENA_DEVICE_UUID, else the host name'),
  data_dir: text().default('./data').describe('Folder for what must outlive a restart; relative to the config file'),
  shutdown_deadline: duration({ min: 100, max: 600_000 })
    .prefault('8s')
    .describe('Time for an orderly end after SIGTERM; keep it under the 10 s after which containers are killed'),
});

const MQTT_PROTOCOLS = ['mqtt:', 'mqtts:', 'ws:', 'wss:'];

function isBrokerUrl(url: string): boolean {
  if (url === 'embedded') return true;
  return URL.canParse(url) && MQTT_PROTOCOLS.includes(new URL(url).protocol) && new URL(url).hostname !== '';
}

/** What a broker's URL should be; a password with / # ? in it is the usual way to a bad one. */
function brokerUrlWords(url: unknown): string {
  if (!/:\/\/.*[/#?].*@/s.test(String(url))) return 'mqtt://host:port (or mqtts, ws, wss), or "embedded"';
  return 'mqtt://host:port with / # ? in the password as %2F %23 %3F (or the password in mqtt.password)';
}

function isBaseTopic(topic: string): boolean {
  return /^[^$+#/][^+#]*$/.test(topic) && !topic.split('/').includes('');
}

/** True for addresses that never leave this machine. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(host);
}

const embeddedSchema = z.strictObject({
  host: z
    .string()
    .refine(isLoopback, { error: 'a loopback address: the embedded broker has no passwords' })
    .default('127.0.0.1')
    .describe('Address of the embedded broker; loopback only'),
  port: port(0).default(1883).describe('Its port; 0 lets the system choose'),
});

const mqttSchema = z.strictObject({
  url: z
    .string()
    .refine(isBrokerUrl, { error: ({ input }) => brokerUrlWords(input) })
    .default('mqtt://localhost:1883')
    .describe('The broker: mqtt://, mqtts://, ws://, wss://, or `embedded`: a broker in this process'),
  base_topic: text()
    .refine(isBaseTopic, { error: 'a topic without + and #, without empty segments, not beginning with $' })
    .default('ferrule/{id}')
    .describe('All topics begin with this; `{id}` is the id of the gateway'),
  version: oneOf(4, 5).default(5).describe('Protocol: 5, or 4 for MQTT 3.1.1'),
  client_id: text().optional().describe('Default: `ferrule-{id}`. Two clients of one id throw each other out'),
  username: z.string().min(1).max(65535).optional().describe('User name for the broker'),
  password: z
    .string()
    .min(1)
    .max(65535)
    .optional()
    .describe('Password for the broker; better through `!file` or a variable'),
  keepalive: duration({ min: 0, max: 65_535_000 })
    .prefault('30s')
    .describe('A silent connection is tested after this long; 0 = never'),
  ca: z.string().min(1).optional().describe('Certificate of the authority: path of a PEM file, or the PEM text itself'),
  cert: z.string().min(1).optional().describe('Certificate of this client: path or PEM text'),
  key: z.string().min(1).optional().describe('Its private key: path or PEM text'),
  reject_unauthorized: z.boolean().default(true).describe('false accepts any certificate: for tests only'),
  qos: oneOf(0, 1).default(1).describe('QoS of readings'),
  session_expiry: duration({ min: 0, max: 30 * 86_400_000 })
    .prefault(0)
    .describe('The broker keeps commands for a gateway that is away this long; 0 = it forgets us with the connection'),
  reconnect: reconnect('1s', '30s').describe('How to come back to a lost broker'),
  embedded: embeddedSchema.prefault({}).describe('The broker of `url: embedded`'),
});

const spoolSchema = z.strictObject({
  mode: z
    .enum(['offline', 'off', 'always'])
    .default('offline')
    .describe(
      'offline keeps readings on disk while the broker is away, always writes each before it is sent, off drops',
    ),
  max_size: size({ min: 1024 ** 2, max: 64 * 1024 ** 3 })
    .prefault('64MiB')
    .describe('Disk that kept readings may take, below `gateway.data_dir`'),
  when_full: z
    .enum(['drop-oldest', 'drop-newest', 'reject'])
    .default('drop-oldest')
    .describe(
      'What gives way: drop-oldest, drop-newest, or reject: devices wait, and serial lines lose what is newest',
    ),
  max_age: duration({ min: 0, max: 365 * 86_400_000 })
    .prefault(0)
    .describe('Older readings are dropped instead of sent late; 0 = none is too old'),
  write_interval: duration({ min: 10, max: 3_600_000 })
    .prefault('1s')
    .describe(
      'Readings gather in memory this long before they are written, to spare the SD card; a power cut loses them',
    ),
  sync: z
    .boolean()
    .default(false)
    .describe('true has every write reach the card before the next (fsync): survives power cuts, not only crashes'),
  replay_rate: integer(1, 1_000_000)
    .default(1000)
    .describe('Kept readings sent per second once the broker is back, beside live ones'),
  replay_order: z
    .enum(['live-first', 'in-order'])
    .optional()
    .describe(
      'live-first: new readings do not wait for kept ones; in-order: they do. Default: live-first, with MQTT 3.1.1 in-order',
    ),
});

/** Where health and metrics are served unless the config says otherwise. */
export const DEFAULT_HTTP_LISTEN = '127.0.0.1:8377';

const LISTEN_WORDS = `host:port, such as ${DEFAULT_HTTP_LISTEN} or [::1]:8377`;
const TOKEN_WORDS = 'at least 8 visible ASCII characters; `openssl rand -hex 16` makes some';

const httpSchema = z
  .strictObject({
    listen: z
      .string({ error: LISTEN_WORDS })
      .refine((text) => parseListenAddress(text) !== undefined, { error: LISTEN_WORDS })
      .default(DEFAULT_HTTP_LISTEN)
      .describe('Where health and metrics are served; port 0 lets the system choose. `http: false` for nowhere'),
    token: z
      .string()
      .regex(/^[\x21-\x7e]{8,1024}$/, { error: TOKEN_WORDS })
      .optional()
      .describe('Who asks must send `Authorization: Bearer <token>`; needed off loopback'),
  })
  .refine(({ listen, token }) => token !== undefined || isLoopback(parseListenAddress(listen)?.host ?? 'localhost'), {
    ...sentence('is not loopback and needs `http.token`: whoever reaches it could read what the gateway does'),
    path: ['listen'],
  });

const logSchema = z.strictObject({
  level: z.enum(['debug', 'info', 'warn', 'error']).default('info').describe('debug, info, warn or error'),
});

/** A link in either form; a string that is no link says what is wrong with it. */
export const linkInputSchema = z
  .preprocess((value, context) => {
    if (typeof value !== 'string') return value;
    const parsed = parseLink(value);
    if (parsed.ok) return parsed.link;
    context.addIssue({ code: 'custom', message: parsed.expected, input: value });
    return z.NEVER;
  }, linkSchema)
  .describe('How the device is reached: an object with `type`, or a string such as tcp://10.0.0.5:4001');

const deviceShape = {
  driver: z
    .string({ error: 'the name of a driver, such as lines' })
    .regex(/^[\w-]{1,64}$/, { error: 'the name of a driver, such as lines' })
    .describe(
      'Name of the driver: lines, raw, json-lines, nmea0183, scpi, firmata, johnny-five, or one from `drivers_dir`',
    ),
  link: linkInputSchema,
  framing: framingSchema.optional().describe("How bytes are cut into frames; default: the driver's"),
  options: z.record(z.string(), z.unknown()).default({}).describe("The driver's own options"),
  qos: oneOf(0, 1).optional().describe('QoS of its readings; default: `mqtt.qos`'),
  retain: z.boolean().default(false).describe('The broker keeps the last reading for late subscribers'),
  silent_after: duration({ min: 0, max: 30 * 86_400_000 })
    .prefault(0)
    .describe('Reported as silent when nothing came for this long; 0 = never'),
  isolation: z
    .enum(['inline', 'worker'])
    .optional()
    .describe(
      'Where framer and driver run: inline, or in a worker whose faults nobody else feels (10 to 19 MB each). Default: the ' +
        "driver's; inline for most",
    ),
  reconnect: reconnect('250ms', '30s').describe('How to come back to a lost link'),
  on_shutdown: bytes({ min: 1, max: 4096 })
    .optional()
    .describe('Bytes written to the device when the gateway ends, or a reload changes or removes the device'),
  on_uplink_lost: z
    .strictObject({
      after: duration({ min: 0, max: 30 * 86_400_000 })
        .prefault('60s')
        .describe('How long the broker must be away'),
      write: bytes({ min: 1, max: 4096 }).describe('Bytes written to the device then, once per absence'),
    })
    .optional()
    .describe('Puts the device into a safe state while nobody can command it'),
  commands: z
    .strictObject({
      when_offline: z
        .enum(['refuse', 'hold'])
        .default('refuse')
        .describe('Commands for a device that is offline: refuse answers an error, hold keeps them for `max_hold`'),
      max_hold: duration({ min: 100, max: 86_400_000 }).prefault('30s').describe('A held command expires after this'),
      timeout: duration({ min: 10, max: 600_000 })
        .prefault('5s')
        .describe('Time for the device to answer a command, where its driver reads answers'),
      critical: z
        .boolean()
        .default(false)
        .describe("true holds balena's update lock while a command is carried out, until the device has answered"),
    })
    .prefault({})
    .describe('How commands for the device are treated'),
  queue_size: size({ min: 1024, max: 256 * 1024 ** 2 })
    .prefault('256KiB')
    .describe('Readings of this device that may wait inside the gateway before back-pressure or loss sets in'),
  enabled: z.boolean().default(true).describe('false leaves the device out'),
};

/** One device. */
export const deviceSchema = z.strictObject(deviceShape, {
  error: (issue) => (issue.code === 'invalid_type' ? 'a device: a map with `driver` and `link`' : undefined),
});

/** Any device key. Only checked: `defaults.ts` has filled it into the devices before they are read. */
const defaultsSchema = z
  .strictObject({
    ...deviceShape,
    link: linkDefaultsSchema.describe('Filled into links of the same `type`, key by key'),
  })
  .partial();

export const configSchema = z.strictObject({
  gateway: gatewaySchema.prefault({}).describe('This gateway'),
  mqtt: mqttSchema.prefault({}).describe('The broker'),
  spool: spoolSchema.prefault({}).describe('What happens to readings while the broker is away'),
  http: orFalse(httpSchema).prefault({}).describe('Health and metrics over HTTP; false for none'),
  log: logSchema.prefault({}).describe('The log'),
  drivers_dir: text().optional().describe("Folder of the user's own drivers; relative to the config file"),
  defaults: defaultsSchema.optional().describe('Any device key, for all devices that do not say otherwise'),
  devices: z.record(z.string(), deviceSchema).default({}).describe('The devices by name'),
});

/** What the schema gives; `resolve.ts` makes a Config of it. */
export type ParsedConfig = z.output<typeof configSchema>;

export type GatewayConfig = ParsedConfig['gateway'] & { readonly id: string };
export type MqttConfig = ParsedConfig['mqtt'] & {
  readonly client_id: string;
};
export type SpoolConfig = ParsedConfig['spool'];
export type LogConfig = ParsedConfig['log'];
export type HttpConfig = ParsedConfig['http'];
export type DeviceConfig = z.output<typeof deviceSchema> & { readonly qos: 0 | 1 };

/** A checked config: every default filled in, folders absolute, PEM files read, `{id}` replaced. */
export interface Config {
  readonly gateway: GatewayConfig;
  readonly mqtt: MqttConfig;
  readonly spool: SpoolConfig;
  readonly http: HttpConfig;
  readonly log: LogConfig;
  /** Absolute. */
  readonly drivers_dir?: string | undefined;
  readonly devices: Readonly<Record<string, DeviceConfig>>;
}
