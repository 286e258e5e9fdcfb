// A gateway with two TCP devices and its bridge API, against mosquitto: requests are asked and answered as a user's client
// does it. The folder of what it keeps outlives it, so that a test can start it again.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { ExecutionContext } from 'ava';
import { brokerFor, gatewayFor, subscriberFor } from './e2e-test.js';
import { eventually } from './eventually.js';
import type { GatewayProcess } from './gateway-process.js';
import type { Subscriber } from './subscriber.js';
import { startTcpDevice, type TcpDevice } from './tcp-device.js';

export const BASE = 'ferrule/e2e';

export interface Answer {
  readonly status: string;
  readonly error?: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly transaction?: unknown;
}

export interface ListedDevice {
  readonly name: string;
  readonly state: string;
  readonly origin: string;
  readonly override?: string;
}

export class BridgeRig {
  readonly subscriber: Subscriber;
  /** Where the broker listens. */
  readonly port: number;
  /** `gateway.data_dir`. */
  readonly dataDir: string;
  readonly scale: TcpDevice;
  readonly cell: TcpDevice;
  gateway: GatewayProcess;
  readonly #t: ExecutionContext;
  #asked = 0;

  private constructor(t: ExecutionContext, port: number, subscriber: Subscriber, scale: TcpDevice, cell: TcpDevice) {
    this.#t = t;
    this.port = port;
    this.subscriber = subscriber;
    this.scale = scale;
    this.cell = cell;
    this.dataDir = mkdtempSync(path.join(tmpdir(), 'ferrule-data-'));
    t.teardown(() => rmSync(this.dataDir, { recursive: true, force: true }));
    this.gateway = gatewayFor(t, { config: this.config() });
  }

  /** Starts one with the device `scale`; `cell` is a device that nobody has configured yet. */
  static async start(t: ExecutionContext): Promise<BridgeRig> {
    const broker = await brokerFor(t);
    const [scale, cell] = await Promise.all([startTcpDevice(), startTcpDevice()]);
    t.teardown(() => Promise.all([scale.close(), cell.close()]).then(() => {}));
    const subscriber = await subscriberFor(t, { port: broker.port });
    const rig = new BridgeRig(t, broker.port, subscriber, scale, cell);
    await rig.isUp();
    return rig;
  }

  /** The text of the config file; `more`: further devices, as YAML. `scale` is defined in line 4. */
  config(more = ''): string {
    return `gateway: { id: e2e, data_dir: "${this.dataDir}" }
mqtt: { url: "mqtt://127.0.0.1:${this.port}" }
devices:
  scale: { driver: lines, link: "tcp://127.0.0.1:${this.scale.port}" }
${more}`;
  }

  /** A device, as it is added. */
  get cellConfig(): object {
    return { driver: 'lines', link: `tcp://127.0.0.1:${this.cell.port}` };
  }

  /** The file of what was changed over MQTT; undefined if there is none. */
  get kept(): string | undefined {
    try {
      return readFileSync(path.join(this.dataDir, 'devices.json'), 'utf8');
    } catch {
      return undefined;
    }
  }

  async isUp(): Promise<void> {
    await this.subscriber.says(`${BASE}/bridge/state`, { state: 'online' });
  }

  /** Ends the gateway in order and starts another one with the same broker and the same kept files. */
  async restart(config = this.config()): Promise<void> {
    this.gateway.signal('SIGTERM');
    await this.gateway.end();
    await this.subscriber.says(`${BASE}/bridge/state`, { state: 'offline' });
    this.gateway = gatewayFor(this.#t, { config });
    await this.isUp();
  }

  /** Replaces the config file and asks for a reload. */
  async reload(config: string): Promise<Answer> {
    writeFileSync(path.join(this.gateway.dir, 'ferrule.yaml'), config);
    return this.ask('reload', {});
  }

  /** Sends a request and gives its answer. */
  async ask(request: string, body: object | string | Buffer): Promise<Answer> {
    const topic = `me/answers/${this.#asked++}`;
    const payload = Buffer.isBuffer(body) || typeof body === 'string' ? body : JSON.stringify(body);
    const properties = { responseTopic: topic };
    await this.subscriber.client.publishAsync(`${BASE}/bridge/request/${request}`, payload, { qos: 1, properties });
    await this.subscriber.count(topic, 1);
    return this.subscriber.last(topic) as Answer; // the only one on that topic, see `count`
  }

  /** The devices of the gateway, as it answers. */
  async devices(): Promise<ListedDevice[]> {
    return (await this.ask('devices', {})).data as unknown as ListedDevice[];
  }

  /** Waits until a device has said a line of its own. */
  async hears(device: TcpDevice, name: string, line: string): Promise<void> {
    (await device.connection()).write(`${line}\n`);
    await eventually(() => this.subscriber.texts(`${BASE}/${name}`).includes(line), `${line} of ${name}`);
  }
}
