// What the manager thread needs of its group and of its neighbours in it: CommsThreadGroup is one.

import type { Lease } from '../core/lease.js';
import type { GroupState } from '../core/lifecycle.js';
import type { RestartIntensity } from '../core/restart-policy.js';
import type { StateMachine } from '../core/state-machine.js';
import type { Link, LinkOpener } from '../device/link.js';
import type { CrashTally } from './crash-tally.js';
import type { Greeting } from './greeting.js';
import type { LinkReader } from './link-use.js';

/** What the manager knows of the other two threads. */
export interface LinkUser {
  letGo(lease: Lease<Link>, isFresh: boolean): void;
}

/** What the manager needs of its group and its neighbours in it. */
export interface ManagerParts {
  readonly state: StateMachine<GroupState>;
  readonly opener: LinkOpener;
  /** False for an accepted connection: when it is lost, the group has done its work. */
  readonly reopens: boolean;
  /** The device is online only once its session has begun, told by a `ready`; else with its link. */
  readonly hasSession: boolean;
  readonly receive: LinkUser & LinkReader;
  readonly send: LinkUser;
  readonly intensity?: RestartIntensity | undefined;
  /** Of the listener that has accepted the connection. */
  readonly crashes?: CrashTally | undefined;
  /** Called with 'online' and 'offline' as the link comes and goes. */
  announce(state: 'online' | 'offline'): void;
  restartThread(label: string): void;
  /** What the driver wants sent by itself. Driver's code: may throw. */
  greeting(): Greeting;
  /** Called when the greeting is on its way. */
  onGreeted(): void;
  /** Called when the thread has nothing left to do. */
  onEnded(): void;
}
