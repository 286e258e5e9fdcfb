// Chooses where a device's framer and driver run: inline, on the event loop, or in a Worker of their own; a session always in one.

import type { Clock } from '../core/clock.js';
import type { ConnectionFlag } from '../core/connection-flag.js';
import type { Log } from '../core/log.js';
import { Decoder } from '../device/decoder.js';
import type { SessionDriver } from '../device/driver.js';
import { makeFramer } from '../device/make-framer.js';
import type { DevicePlan } from '../device/plan.js';
import type { DecodeHost, DecodeSink } from './decode-host.js';
import { type SessionEvents, WorkerSession } from './session/worker-session.js';
import { WorkerDecoder } from './worker/worker-decoder.js';

/** `inline`: cheapest. `worker`: a driver that hangs, crashes or eats memory is felt by nobody else. */
export type Isolation = 'inline' | 'worker';

export interface DecodeHostOptions {
  readonly id: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly flag: ConnectionFlag;
  readonly plan: Pick<DevicePlan, 'driver' | 'driverName' | 'driverDirs' | 'options' | 'framing'>;
  /** For a driver of sessions: who is told of the next one, which begins now. */
  readonly session: () => Pick<SessionEvents, 'onReady' | 'onUnanswered' | 'onDetails'>;
  /** A Worker has ended by itself. An inline decoder throws instead. */
  readonly onCrash: (host: DecodeHost, error: unknown) => void;
}

/** Answers a function that makes a fresh host in a Worker, each with a fresh framer and driver. */
export function workerHostMaker(options: DecodeHostOptions): (sink: DecodeSink) => DecodeHost {
  const { driver } = options.plan;
  return driver.kind === 'session' ? sessionMaker(options, driver) : workerMaker(options);
}

/** A fresh host on this event loop, where the device is to have one there. May throw what the driver throws. */
export function inlineHost(
  { driver, options, framing }: DecodeHostOptions['plan'],
  isolation: Isolation,
  sink: DecodeSink,
): DecodeHost | undefined {
  if (driver.kind === 'session' || isolation === 'worker') return undefined;
  const { commands } = driver;
  const instance = driver.create(options);
  return new Decoder({ framer: makeFramer(framing), instance, out: sink, ...(commands && { commands }) });
}

function sessionMaker(
  { id, clock, log, plan, onCrash, session }: DecodeHostOptions,
  { commands }: SessionDriver,
): (sink: DecodeSink) => WorkerSession {
  const { driverName, driverDirs, options } = plan;
  return (sink) => {
    const host: WorkerSession = new WorkerSession({
      id,
      clock,
      log,
      driver: { name: driverName, dirs: driverDirs },
      options,
      out: sink,
      ...(commands && { commands }),
      events: { ...session(), onCrash: (error) => onCrash(host, error) },
    });
    return host;
  };
}

function workerMaker({ id, clock, log, flag, plan, onCrash }: DecodeHostOptions): (sink: DecodeSink) => WorkerDecoder {
  const { driverName, driverDirs, options, framing } = plan;
  let previous: WorkerDecoder | undefined;
  return (sink) => {
    const host: WorkerDecoder = new WorkerDecoder({
      id,
      clock,
      log,
      flag,
      driver: { name: driverName, dirs: driverDirs },
      options,
      framing,
      out: sink,
      previous,
      onCrash: (error) => onCrash(host, error),
    });
    previous = host;
    return host;
  };
}
