// The config of a rig's gateway: what the test gave, with broker and folder of the rig, and with the lines of virtual devices as
// they are put on. A device without an address waits until it gets one; until then the gateway does not know it.

import path from 'node:path';
import { Document, isAlias, isMap, parseDocument } from 'yaml';
import { serialLink, tcpLink } from '../config/link-schema.js';
import { parseLink } from '../config/link-string.js';
import { messageOf } from '../core/errors.js';
import { RigError } from './rig-error.js';

const DEFAULT_ID = 'rig';
const DEFAULT_BASE = 'ferrule/{id}';
/** Of another broker; ours has neither users nor certificates. */
const BROKER_KEYS = ['embedded', 'username', 'password', 'ca', 'cert', 'key', 'reject_unauthorized'];
/** Each type of link with its settings, the address among them. */
const LINK_KEYS: Readonly<Record<string, readonly string[]>> = {
  serial: Object.keys(serialLink.shape),
  tcp: Object.keys(tcpLink.shape),
};
const ADDRESS_KEYS = ['path', 'id', 'port'];

export interface RigConfigOptions {
  /** As in ferrule.yaml: its text, or what it says. */
  readonly config: string | object;
  readonly brokerUrl: string;
  readonly dataDir: string;
  /** What relative folders in the config mean. */
  readonly cwd: string;
}

export class RigConfig {
  /** Base of all topics. */
  readonly base: string;
  /** The devices that the config names, with or without an address. */
  readonly devices: readonly string[];
  readonly #document: Document;

  constructor(options: RigConfigOptions) {
    this.#document = read(options.config);
    this.devices = namesIn(this.#document);
    this.base = this.#setGateway(options.dataDir);
    this.#setBroker(options.brokerUrl);
    // The status page has one fixed port by default: two rigs would meet there.
    if (!this.#document.has('http')) this.#document.set('http', false);
    const drivers = this.#document.get('drivers_dir');
    if (typeof drivers === 'string') this.#document.set('drivers_dir', path.resolve(options.cwd, drivers));
  }

  /** Puts a device on a line; `link`: the string form of its address. Settings of the device's own link stay. */
  attach(device: string, link: string): void {
    this.check(device);
    const parsed = parseLink(link);
    if (!parsed.ok) throw new RigError('rig-config', `link ${link}: expected ${parsed.expected}`);
    const known = LINK_KEYS[String(parsed.link.type)] ?? [];
    const settings = Object.entries(this.#linkOf(device)).filter(([key]) => known.includes(key));
    const merged = { ...Object.fromEntries(settings), ...parsed.link };
    this.#document.setIn(['devices', device, 'link'], this.#document.createNode(merged));
  }

  /** Throws if there is no such device. */
  check(device: string): void {
    if (this.devices.includes(device)) return;
    const known = this.devices.join(', ') || 'none';
    throw new RigError('rig-config', `no device "${device}" in the config of the rig; there are ${known}`);
  }

  /** The config file as it is to be now. */
  text(): string {
    const copy = this.#document.clone();
    for (const device of this.devices) {
      if (!hasAddress(this.#linkOf(device))) copy.deleteIn(['devices', device]);
    }
    return copy.toString();
  }

  #setGateway(dataDir: string): string {
    const id = this.#document.getIn(['gateway', 'id']) ?? DEFAULT_ID;
    this.#document.setIn(['gateway', 'id'], id);
    this.#document.setIn(['gateway', 'data_dir'], dataDir);
    const base = this.#document.getIn(['mqtt', 'base_topic']) ?? DEFAULT_BASE;
    return String(base).replaceAll('{id}', String(id));
  }

  /** The rig's broker is aedes, which speaks MQTT 3.1.1. */
  #setBroker(url: string): void {
    this.#document.setIn(['mqtt', 'url'], url);
    this.#document.setIn(['mqtt', 'version'], 4);
    for (const key of BROKER_KEYS) this.#document.deleteIn(['mqtt', key]);
  }

  /** The link as an object, without an address if it has none. */
  #linkOf(device: string): Readonly<Record<string, unknown>> {
    const link: unknown = this.#document.getIn(['devices', device, 'link'], true);
    if (isMap(link)) return link.toJS(this.#document);
    const text = this.#document.getIn(['devices', device, 'link']);
    const parsed = typeof text === 'string' ? parseLink(text) : undefined;
    // What is no link stays: the gateway says what is wrong with it.
    if (parsed === undefined) return {};
    return parsed.ok ? parsed.link : { path: text };
  }
}

function hasAddress(link: Readonly<Record<string, unknown>>): boolean {
  return ADDRESS_KEYS.some((key) => link[key] !== undefined);
}

function read(config: string | object): Document {
  const document =
    typeof config === 'string' ? parseText(config) : new Document(config, { aliasDuplicateObjects: false });
  if (document.contents === null) return new Document({});
  if (!isMap(document.contents)) throw new RigError('rig-config', 'the config of a rig must be a map of keys');
  return document;
}

function parseText(text: string): Document {
  try {
    const document = parseDocument(text, { merge: true, logLevel: 'error' });
    const [first] = document.errors;
    if (first !== undefined) throw first;
    return document;
  } catch (error) {
    throw new RigError('rig-config', `the config of the rig is no YAML: ${messageOf(error)}`, { cause: error });
  }
}

/** The names of the devices; one that is an alias (`b: *a`) becomes a copy, so that its link can be set apart. */
function namesIn(document: Document): string[] {
  const devices: unknown = document.get('devices', true);
  if (!isMap(devices)) return [];
  for (const pair of devices.items) {
    if (isAlias(pair.value)) pair.value = pair.value.resolve(document)?.clone();
  }
  return devices.items.map(({ key }) => String(key));
}
