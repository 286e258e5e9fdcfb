// The requests that a gateway answers: one small function per path of the bridge API. Knows what may be asked, not how the
// gateway does it: that comes in as `BridgeControls`.

import type { GroupView } from '../core/thread-group.js';
import type { TapMode } from '../device/message.js';
import { type DeviceControls, deviceRequests } from './device-requests.js';
import type { Health } from './health.js';
import { nameIn, unknownDevice } from './named-device.js';
import { type RequestBody, RequestError, type RequestHandler } from './requests.js';

/** What the bridge API can do to the process. */
export interface ProcessControls extends DeviceControls {
  setLogLevel(level: LogLevel): void;
  /** Reads the config again. Throws a RequestError if it is not good; answers what has changed. */
  reload(): Promise<unknown>;
  /** Ends the process in order; whoever supervises it starts it again. */
  restart(): void;
}

function refuse(): never {
  throw new RequestError('this gateway does not run as a daemon of its own: nothing here can do that');
}

/** For a gateway without a process of its own around it, such as the demo's. */
export const noProcess: ProcessControls = {
  setLogLevel: refuse,
  reload: refuse,
  restart: refuse,
  addDevice: refuse,
  removeDevice: refuse,
  enableDevice: refuse,
};

/** What the bridge API can do to a gateway. */
export interface BridgeControls extends ProcessControls {
  health(): Health;
  /** All devices, as on `bridge/devices`. */
  devices(): readonly Readonly<Record<string, unknown>>[];
  /** Every group with its threads. */
  threads(): readonly GroupView[];
  /** False if there is no device of that name. */
  restartDevice(name: string): boolean;
  /** Watches the line of a device, or of a connection, for so long (0 = no longer); answers the topic on which it is told. */
  tapDevice(id: string, seconds: number, mode: TapMode): Promise<TapResult>;
}

export type TapResult =
  /** `source`: what somebody who records the line should know of it: driver, link, framing, options; without secrets. */
  | { readonly ok: true; readonly topic: string; readonly source?: Readonly<Record<string, unknown>> }
  | { readonly ok: false; readonly why: 'no-such-device' }
  | { readonly ok: false; readonly why: 'closing' }
  /** A listener has no line of its own. */
  | { readonly ok: false; readonly why: 'is-listener'; readonly connections: readonly string[] };

/** How long a tap runs: by default, and at most. */
const TAP_SECONDS = { default: 60, max: 600 };
/** Connections of one listener that are told thread by thread; the rest is only counted. */
const LISTED_CHILDREN = 64;
const LEVELS = ['debug', 'info', 'warn', 'error'] as const;

export type LogLevel = (typeof LEVELS)[number];

/** The table of requests by path. */
export function bridgeApi(controls: BridgeControls): Readonly<Record<string, RequestHandler>> {
  return {
    health_check: () => controls.health(),
    devices: () => controls.devices(),
    threads: () => controls.threads().map(threadTree),
    'device/get': (body) => device(controls, body),
    'device/restart': (body) => {
      const name = nameIn(body);
      if (!controls.restartDevice(name)) throw notRunning(controls, name);
      return { id: name };
    },
    ...deviceRequests(controls, () => namesOf(controls)),
    'device/tap': (body) => tap(controls, body),
    options: (body) => {
      const level = LEVELS.find((known) => known === body.log_level);
      if (level === undefined) {
        const found = JSON.stringify(body.log_level)?.slice(0, 100) ?? 'nothing';
        throw new RequestError(`"log_level": expected one of ${LEVELS.join(', ')}, got ${found}`);
      }
      controls.setLogLevel(level);
      return { log_level: level };
    },
    reload: () => controls.reload(),
    restart: () => {
      controls.restart();
      return {};
    },
  };
}

function device(controls: BridgeControls, body: RequestBody): unknown {
  const name = nameIn(body);
  const found = controls.devices().find((candidate) => candidate.name === name);
  if (found === undefined) throw unknownDevice(name, namesOf(controls));
  const tree = controls.threads().find((group) => group.id === name);
  return { ...found, ...(tree && threadTree(tree)) };
}

async function tap(controls: BridgeControls, body: RequestBody): Promise<unknown> {
  const id = nameIn(body);
  const seconds = secondsIn(body);
  const mode = modeIn(body);
  const result = await controls.tapDevice(id, seconds, mode);
  if (result.ok) {
    const { topic, source } = result;
    return mode === 'lines' ? { id, topic, seconds } : { id, topic, seconds, mode, source };
  }
  if (result.why === 'no-such-device') throw notRunning(controls, id);
  if (result.why !== 'is-listener') throw new RequestError(`${id} is closing: nothing more goes over its line`);
  const open = result.connections.slice(0, LISTED_CHILDREN).join(', ') || 'none';
  throw new RequestError(`${id} is a listener: name one of its connections, ${id}/<peer>; open are ${open}`);
}

function modeIn({ mode = 'lines' }: RequestBody): TapMode {
  if (mode === 'lines' || mode === 'raw') return mode;
  throw new RequestError(`"mode": expected lines or raw, got ${JSON.stringify(mode).slice(0, 100)}`);
}

function secondsIn({ seconds = TAP_SECONDS.default }: RequestBody): number {
  if (typeof seconds === 'number' && seconds >= 0 && seconds <= TAP_SECONDS.max) return seconds;
  const found = JSON.stringify(seconds).slice(0, 100);
  throw new RequestError(`"seconds": expected a number from 0 (stop) to ${TAP_SECONDS.max}, got ${found}`);
}

function namesOf(controls: Pick<BridgeControls, 'devices'>): string[] {
  return controls.devices().map(({ name }) => String(name));
}

/** There is no group of that name: there is no such device, it is not to run, or a reload is just replacing it. */
function notRunning(controls: Pick<BridgeControls, 'devices'>, name: string): RequestError {
  const state = controls.devices().find((device) => device.name === name)?.state;
  if (state === undefined) return unknownDevice(name, namesOf(controls));
  if (state === 'disabled') return new RequestError(`${name} is disabled: send device/enable first`);
  return new RequestError(`${name} is just being changed: send it again`);
}

/** A group as people read it: states, times as ISO 8601, what each thread is busy with. */
function threadTree(view: GroupView): Record<string, unknown> {
  const { id, state, since, reason, threads, children, history, counters } = view;
  return {
    id,
    state,
    since: iso(since),
    reason,
    counters,
    threads: threads.map(({ label, state, doing, busyMs, queued, queuedWeight, dropped }) => ({
      label,
      state,
      doing: doing || 'waiting for its inbox',
      busy_ms: Math.round(busyMs),
      queued,
      queued_weight: queuedWeight,
      dropped,
    })),
    history: history.map(({ from, to, reason, at }) => ({ from, to, reason, at: iso(at) })),
    ...(children.length > 0 && {
      children: children.slice(0, LISTED_CHILDREN).map(threadTree),
      children_total: children.length,
    }),
  };
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
