// The config of a running daemon: the user's files as they were last read, and over them what was changed over MQTT, which is
// kept on disk. One change at a time, a reload included: each is checked, kept, applied, in this order.

import { basename, dirname, resolve } from 'node:path';
import { formatChanges, MAX_CHANGES_CHARS, type RemoteChanges } from '../config/remote-changes.js';
import { setAside, writeChangesFile } from '../config/remote-changes-file.js';
import { RequestError } from '../control/requests.js';
import { sleep, systemClock } from '../core/clock.js';
import { messageOf } from '../core/errors.js';
import type { Log } from '../core/log.js';
import { FileMemory } from './file-memory.js';
import { type BadConfig, type ConfigPlace, type GoodConfig, readConfig, readStrictly } from './read-config.js';

/** Files that have not changed for so long are taken to be whole, ms; looked at so often, at most. */
const SETTLE_MS = 50;
const SETTLE_ATTEMPTS = 20;
/** Lines of a bad config that an answer holds. */
const SHOWN_PROBLEMS = 8;

export interface LiveConfigOptions {
  readonly place: ConfigPlace;
  /** For tests: how the file of changes is replaced. */
  readonly write?: typeof writeChangesFile;
  /** For tests: how a reload waits for files that are being written. */
  readonly pause?: (ms: number) => Promise<unknown>;
}

/** What is to be in effect, and what is to be kept: the same, but for what does not fit at present. */
export interface WantedChanges {
  readonly effect: RemoteChanges;
  readonly kept: RemoteChanges;
}

export class LiveConfig {
  readonly #place: ConfigPlace;
  readonly #write: typeof writeChangesFile;
  readonly #pause: (ms: number) => Promise<unknown>;
  #current: GoodConfig;
  #files: FileMemory;
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(options: LiveConfigOptions, current: GoodConfig, files: FileMemory) {
    const { place, write = writeChangesFile, pause = (ms) => sleep(systemClock, ms) } = options;
    this.#place = place;
    this.#write = write;
    this.#pause = pause;
    this.#current = current;
    this.#files = files;
  }

  /** Reads the config from the disk, or says what is wrong with it. */
  static async open(options: LiveConfigOptions): Promise<LiveConfig | BadConfig> {
    const files = new FileMemory();
    const read = await readConfig(options.place, files);
    return read.ok ? new LiveConfig(options, read, files) : read;
  }

  /** What the gateway runs. */
  get current(): GoodConfig {
    return this.#current;
  }

  /** What of the changes over MQTT is in effect. */
  get effect(): RemoteChanges {
    const { kept, origin } = this.#current;
    const devices = new Map([...kept.devices].filter(([name]) => origin.added.includes(name)));
    return { devices, enabled: origin.enabled };
  }

  /** A file of changes that cannot be read is moved out of the way, to be looked at; both are logged. Once, at the start. */
  async tellTroubles(log: Log, now: number): Promise<void> {
    const { keptFile, keptTrouble, notices } = this.#current;
    for (const notice of notices) log.warn(notice);
    if (keptTrouble === undefined) return;
    try {
      const aside = await setAside(keptFile, `broken-${new Date(now).toISOString().replaceAll(':', '-')}`);
      log.error({ file: aside }, `what was changed over MQTT is lost: ${keptTrouble}; the file is now ${aside}`);
    } catch (error) {
      log.error({ err: error }, `${keptFile}: ${keptTrouble}; starting without it, and it cannot be moved aside`);
    }
  }

  /** Reads the user's files anew. What was changed over MQTT stays. A bad config changes nothing and is answered. */
  reload<Report>(apply: (config: GoodConfig) => Promise<Report>): Promise<Report | BadConfig> {
    return this.inTurn(async () => {
      const { files, read } = await this.#readSettled();
      if (!read.ok) return read;
      const [empty] = files.empty;
      if (empty !== undefined) return { ok: false, lines: [this.#emptyWords(empty, read), '1 problem'] };
      const report = await apply(read);
      [this.#current, this.#files] = [read, files];
      return report;
    });
  }

  /** `empty`: the path of a file with nothing in it, which at the start would be good. */
  #emptyWords(empty: string, { file }: GoodConfig): string {
    const isMain = resolve(this.#place.cwd, file) === empty;
    const isOfDevices = basename(dirname(empty)) === 'devices.d';
    const words = `${empty} is empty: is it being written?`;
    if (isMain) return `${words} To run without devices, write "devices: {}"`;
    return isOfDevices ? `${words} If it is to have no devices, remove it` : words;
  }

  /** Reads the files once they stay as they are: an editor empties a file before it fills it, and that must not count. */
  async #readSettled(): Promise<{ readonly files: FileMemory; readonly read: GoodConfig | BadConfig }> {
    for (let attempt = 1; ; attempt += 1) {
      const files = new FileMemory();
      const read = await readConfig(this.#place, files, this.#current.kept);
      await this.#pause(SETTLE_MS);
      if ((files.isCurrent && files.empty.length === 0) || attempt === SETTLE_ATTEMPTS) return { files, read };
    }
  }

  /** Checks a change of what came over MQTT. Rejects with a RequestError that says what is wrong with it. */
  async check(effect: RemoteChanges): Promise<GoodConfig> {
    const read = await readStrictly(this.#place, this.#files, effect);
    if (read.ok) return read;
    throw new RequestError(this.#problemWords(read));
  }

  /** Keeps a checked change on disk, then applies it. Where it cannot be kept, nothing is changed: a RequestError. */
  async commit(read: GoodConfig, kept: RemoteChanges, apply: (config: GoodConfig) => Promise<unknown>): Promise<void> {
    const text = formatChanges(kept);
    if (text.length > MAX_CHANGES_CHARS) {
      throw new RequestError(`no room: what is changed over MQTT may take ${MAX_CHANGES_CHARS} characters in all`);
    }
    try {
      await this.#write(read.keptFile, text);
    } catch (error) {
      throw new RequestError(`nothing was changed: it cannot be kept in ${read.keptFile}: ${messageOf(error)}`);
    }
    const leftOut = new Map([...this.#current.origin.leftOut].filter(([name]) => isKept(kept, name)));
    const next = { ...read, kept, origin: { ...read.origin, leftOut } };
    await apply(next);
    this.#current = next;
  }

  /** One change at a time. */
  inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => {});
    return result;
  }

  /** The sender of a request knows where its device stands: in the request, not in our file. */
  #problemWords({ lines }: BadConfig): string {
    const prefix = `${this.#current.keptName} `;
    const problems = lines.slice(0, -1).map((line) => (line.startsWith(prefix) ? line.slice(prefix.length) : line));
    const more = problems.length > SHOWN_PROBLEMS ? [`and ${problems.length - SHOWN_PROBLEMS} more`] : [];
    return [...problems.slice(0, SHOWN_PROBLEMS), ...more].join('; ');
  }
}

function isKept({ devices, enabled }: RemoteChanges, name: string): boolean {
  return devices.has(name) || enabled.has(name);
}
