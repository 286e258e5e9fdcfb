// One device group on a memory link, a fake clock and a fake relay: everything that a test of `src/group` drives.

import { type FramingConfig, framingSchema } from '../../src/config/framing-schema.js';
import { Presence } from '../../src/core/presence.js';
import type { RestartIntensity } from '../../src/core/restart-policy.js';
import { ThreadRegistry } from '../../src/core/thread-registry.js';
import { type Driver, defineDriver, type FramedDriver, z } from '../../src/device/driver.js';
import type { Link, LinkOpener } from '../../src/device/link.js';
import { type MemoryFarEnd, memoryLink } from '../../src/device/links/memory.js';
import type { Command, DownMessage } from '../../src/device/message.js';
import { CommsThreadGroup } from '../../src/group/comms-thread-group.js';
import type { DeviceSettings, WhileCritical } from '../../src/group/device-context.js';
import { UplinkAbsence } from '../../src/group/uplink-absence.js';
import { FakeClock } from './fake-clock.js';
import { FakeRelay } from './fake-relay.js';
import { RecordingLog } from './recording-log.js';

/** Text lines up and down, as the driver `lines` has them. */
export const echoDriver: FramedDriver = defineDriver({
  kind: 'framed',
  summary: 'lines',
  options: z.unknown(),
  create: () => ({ encode: ({ payload }) => payload }),
});

export const SETTINGS: DeviceSettings = {
  qos: 1,
  retain: false,
  queue_size: 64 * 1024,
  silent_after: 0,
  reconnect: { first: 250, max: 30_000 },
  commands: { when_offline: 'refuse', max_hold: 30_000, timeout: 5000 },
};

export interface GroupRigOptions {
  readonly id?: string;
  readonly driver?: Driver;
  readonly framing?: FramingConfig;
  /** Where a driver that a Worker loads is found, and its options. */
  readonly plan?: { readonly driverName: string; readonly driverDirs: readonly string[]; readonly options?: unknown };
  readonly settings?: Partial<DeviceSettings>;
  readonly canPause?: boolean;
  readonly reopens?: boolean;
  readonly address?: string;
  readonly intensity?: RestartIntensity;
  /** Whether the broker is there; it is, if nothing is said. */
  readonly uplink?: Presence;
  readonly clock?: FakeClock;
  readonly registry?: ThreadRegistry<DownMessage>;
  readonly relay?: FakeRelay;
  /** In the place of the memory link's own. */
  readonly opener?: (own: LinkOpener) => LinkOpener;
  readonly onEnded?: () => void;
  readonly whileCritical?: WhileCritical;
}

export interface GroupRig {
  readonly device: CommsThreadGroup;
  readonly far: MemoryFarEnd;
  readonly relay: FakeRelay;
  readonly clock: FakeClock;
  readonly log: RecordingLog;
  readonly registry: ThreadRegistry<DownMessage>;
  /** Times that `close` was called on each link, in the order of opening. */
  readonly closes: readonly number[];
  readonly state: string;
  /** Lets everything that can go on do so. */
  settle(): Promise<void>;
  /** Closes the group as the registry does, moving time on until it has ended or `withinMs` have passed. */
  end(withinMs?: number): Promise<{ readonly ended: boolean; readonly stuck: readonly string[] }>;
}

/** Lines with a newline, or what `more` says. */
export function lineFraming(more: Partial<z.input<typeof framingSchema>> = {}): FramingConfig {
  return framingSchema.parse({ type: 'line', ...more });
}

let transactions = 0;

export function command(more: Partial<Command> = {}): Command {
  transactions += 1;
  return { kind: 'command', verb: 'set', payload: Buffer.from('on'), transaction: `t${transactions}`, ...more };
}

export function groupRig(options: GroupRigOptions = {}): GroupRig {
  const { id = 'scale', clock = new FakeClock(), relay = new FakeRelay(), canPause = true, reopens } = options;
  const registry = options.registry ?? new ThreadRegistry<DownMessage>(clock);
  const log = new RecordingLog();
  const memory = memoryLink({ clock, canPause, name: `memory ${id}` });
  const closes: number[] = [];
  const counted = countCloses(memory.opener, closes);
  const { driver = echoDriver, framing = lineFraming(), address, intensity, onEnded } = options;
  const kind = {
    clock,
    log,
    registry,
    relay,
    plan: { driverName: 'test', driverDirs: [], driver, options: undefined, framing, ...options.plan },
    settings: { ...SETTINGS, ...options.settings },
    ...(reopens !== undefined && { reopens }),
    ...(address !== undefined && { address }),
    ...(intensity && { intensity }),
    absence: new UplinkAbsence(clock, options.uplink ?? new Presence(true)),
    ...(onEnded && { onEnded }),
    ...(options.whileCritical && { whileCritical: options.whileCritical }),
  };
  const device = new CommsThreadGroup(kind, { id, opener: options.opener?.(counted) ?? counted });
  device.start();
  return {
    device,
    far: memory.far,
    relay,
    clock,
    log,
    registry,
    closes,
    get state() {
      return device.group.state.state;
    },
    async settle() {
      for (let turn = 0; turn < 4; turn += 1) await clock.settle();
    },
    async end(withinMs = 8000) {
      device.group.close('test is over');
      const waiting = device.group.wait(withinMs);
      let isOver = false;
      void waiting.then(() => {
        isOver = true;
      });
      for (let ms = 0; !isOver && ms <= withinMs + 100; ms += 100) await clock.advance(100);
      const report = await waiting;
      device.group.cleanup();
      await clock.advance(1);
      return { ended: report.ended, stuck: report.stuck.map(({ thread }) => thread) };
    },
  };
}

function countCloses(opener: LinkOpener, closes: number[]): LinkOpener {
  return {
    name: opener.name,
    ...(opener.changed && { changed: opener.changed }),
    async open(signal): Promise<Link> {
      const link = await opener.open(signal);
      const at = closes.push(0) - 1;
      const close = link.close.bind(link);
      link.close = () => {
        closes[at] = (closes[at] ?? 0) + 1;
        return close();
      };
      return link;
    },
  };
}
