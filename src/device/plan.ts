// A device's part of the config and its driver, brought together: the driver's defaults under the config's own values, its
// options checked by its own schema. All that a device group needs to know, or all that is wrong.

import { z } from 'zod';
import { type FramingConfig, framingSchema } from '../config/framing-schema.js';
import type { LinkConfig } from '../config/link-schema.js';
import type { Driver } from './driver.js';

/** What is needed of a device's config. */
export interface PlannableDevice {
  readonly driver: string;
  readonly link: LinkConfig;
  readonly framing?: FramingConfig | undefined;
  readonly options?: Readonly<Record<string, unknown>> | undefined;
  readonly isolation?: 'inline' | 'worker' | undefined;
}

export interface DevicePlan {
  readonly name: string;
  readonly driverName: string;
  readonly driver: Driver;
  /** Where the driver was looked for; a Worker loads it from there again. */
  readonly driverDirs: readonly string[];
  /** The driver's options, checked and completed; to be given to `create`, `hello` and `poll`. */
  readonly options: unknown;
  readonly framing: FramingConfig;
  /** With `baud_rate` filled in where the link is a serial one. */
  readonly link: LinkConfig;
}

/** One thing wrong with a device: ready for `zodProblems(source, [...devicePath, ...path], value, error, schema)`. */
export interface PlanFault {
  /** Place within the device's config. */
  readonly path: readonly (string | number)[];
  readonly error: z.ZodError;
  /** What was checked, and with what. */
  readonly value: unknown;
  readonly schema?: z.ZodType;
}

export type PlanResult =
  | { readonly ok: true; readonly plan: DevicePlan }
  | { readonly ok: false; readonly errors: readonly PlanFault[] };

const DEFAULT_BAUD_RATE = 9600;

/** Checks a device's config against its driver. Never throws for what a config or a driver's defaults say. */
export function checkDevice(
  name: string,
  device: PlannableDevice,
  driver: Driver,
  driverDirs: readonly string[] = [],
): PlanResult {
  const given = device.options ?? {};
  const options = driver.options.safeParse(given);
  const framing = planFraming(device, driver);
  const misfits = sessionMisfits(device, driver);
  if (options.success && framing.success && misfits.length === 0) {
    const link = planLink(device.link, driver);
    const plan = {
      name,
      driverName: device.driver,
      driver,
      driverDirs,
      options: options.data,
      framing: framing.data,
      link,
    };
    return { ok: true, plan };
  }
  const errors: PlanFault[] = [...misfits];
  if (!options.success) {
    errors.push({ path: ['options'], error: options.error, value: given, schema: driver.options });
  }
  if (!framing.success) errors.push(driverFault(device.driver, framing.error));
  return { ok: false, errors };
}

/**
 * The device's framing, which is checked already, else the driver's, else lines. A framing is taken as a whole, never mixed. A
 * session gets the bytes as they come.
 */
function planFraming({ framing }: PlannableDevice, driver: Driver): z.ZodSafeParseResult<FramingConfig> {
  if (driver.kind === 'session') return framingSchema.safeParse({ type: 'raw' });
  if (framing !== undefined) return { success: true, data: framing };
  return framingSchema.safeParse(driver.defaults?.framing ?? { type: 'line' });
}

/** A driver's mistake has no place in the user's config but the driver's name. */
function driverFault(driverName: string, error: z.ZodError): PlanFault {
  const message = `the driver ${driverName} has an impossible default framing: ${z.prettifyError(error)}`;
  return sentenceFault(['driver'], driverName, message);
}

/** Keys that have no meaning for a driver of kind `session`. */
function sessionMisfits({ driver, framing, isolation }: PlannableDevice, { kind }: Driver): PlanFault[] {
  if (kind !== 'session') return [];
  const faults: PlanFault[] = [];
  if (isolation === 'inline') {
    const message = `the driver ${driver} takes the wire for itself and cannot be closed in-process: it always runs in a Worker; leave isolation out`;
    faults.push(sentenceFault(['isolation'], isolation, message));
  }
  if (framing !== undefined) {
    const message = `the driver ${driver} takes the wire for itself: it has no framing; leave it out`;
    faults.push(sentenceFault(['framing'], framing, message));
  }
  return faults;
}

function sentenceFault(path: readonly string[], value: unknown, message: string): PlanFault {
  const issues = [{ code: 'custom' as const, path: [], message, params: { sentence: true }, input: value }];
  return { path, error: new z.ZodError(issues), value };
}

function planLink(link: LinkConfig, { defaults }: Driver): LinkConfig {
  if (link.type !== 'serial' && link.type !== 'usb') return link;
  return { ...link, baud_rate: link.baud_rate ?? defaults?.baud_rate ?? DEFAULT_BAUD_RATE };
}
