// The requests that a gateway answers: one small function per path of the bridge API. Knows what may be asked, not how the
// gateway does it: that comes in as `BridgeControls`.

import type { GroupView } from '../core/thread-group.js';
import { type RequestBody, RequestError, type RequestHandler } from './requests.js';

/** What the bridge API can do to the process. */
export interface ProcessControls {
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
export const noProcess: ProcessControls = { setLogLevel: refuse, reload: refuse, restart: refuse };

/** What the bridge API can do to a gateway. */
export interface BridgeControls extends ProcessControls {
  /** All devices, as on `bridge/devices`. */
  devices(): readonly Readonly<Record<string, unknown>>[];
  /** Every group with its threads. */
  threads(): readonly GroupView[];
  /** False if there is no device of that name. */
  restartDevice(name: string): boolean;
  /** Watches the line of a device, or of a connection, for so long (0 = no longer); answers the topic on which it is told. */
  tapDevice(id: string, seconds: number): Promise<TapResult>;
}

export type TapResult =
  | { readonly ok: true; readonly topic: string }
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
    health_check: () => ({ healthy: true }),
    devices: () => controls.devices(),
    threads: () => controls.threads().map(threadTree),
    'device/get': (body) => device(controls, body),
    'device/restart': (body) => {
      const name = nameIn(body);
      if (!controls.restartDevice(name)) throw unknownDevice(controls, name);
      return { id: name };
    },
    'device/tap': (body) => tap(controls, body),
    options: (body) => {
      const level = LEVELS.find((known) => known === body.log_level);
      if (level === undefined) {
        const found = JSON.stringify(body.log_level);
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
  if (found === undefined) throw unknownDevice(controls, name);
  const tree = controls.threads().find((group) => group.id === name);
  return { ...found, ...(tree && threadTree(tree)) };
}

async function tap(controls: BridgeControls, body: RequestBody): Promise<unknown> {
  const id = nameIn(body);
  const seconds = secondsIn(body);
  const result = await controls.tapDevice(id, seconds);
  if (result.ok) return { id, topic: result.topic, seconds };
  if (result.why === 'no-such-device') throw unknownDevice(controls, id);
  if (result.why !== 'is-listener') throw new RequestError(`${id} is closing: nothing more goes over its line`);
  const open = result.connections.slice(0, LISTED_CHILDREN).join(', ') || 'none';
  throw new RequestError(`${id} is a listener: name one of its connections, ${id}/<peer>; open are ${open}`);
}

function secondsIn({ seconds = TAP_SECONDS.default }: RequestBody): number {
  if (typeof seconds === 'number' && seconds >= 0 && seconds <= TAP_SECONDS.max) return seconds;
  const found = JSON.stringify(seconds).slice(0, 100);
  throw new RequestError(`"seconds": expected a number from 0 (stop) to ${TAP_SECONDS.max}, got ${found}`);
}

function nameIn(body: RequestBody): string {
  const name = body.id ?? body.name;
  if (typeof name === 'string' && name !== '') return name;
  throw new RequestError('"id" is missing: the name of the device, as in the config');
}

function unknownDevice(controls: BridgeControls, name: string): RequestError {
  const known = controls.devices().map((candidate) => String(candidate.name));
  return new RequestError(`no device "${name.slice(0, 200)}"; there are ${known.join(', ') || 'none'}`);
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
