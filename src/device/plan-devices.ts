// All devices of a config, each brought together with its driver. Everything wrong is answered at once, with its place.

import type { ConfigDraft } from '../config/draft.js';
import type { Problem } from '../config/problem.js';
import type { Config, DeviceConfig } from '../config/schema.js';
import { type ConfigSource, problemAt } from '../config/source.js';
import { zodProblems } from '../config/zod-problems.js';
import type { Driver } from './driver.js';
import { builtInDriversDir, DriverError, loadDriver } from './load.js';
import { checkDevice, type DevicePlan } from './plan.js';

/** A device as the gateway runs it: its config, and the plan made of it. */
export interface PlannedDevice {
  readonly config: DeviceConfig;
  readonly plan: DevicePlan;
}

export interface PlannedDevices {
  readonly devices: readonly PlannedDevice[];
  readonly problems: readonly Problem[];
}

/** Loads the drivers of all enabled devices and checks their options. */
export async function planDevices(config: Config, source: ConfigSource): Promise<PlannedDevices> {
  const dirs = driverDirs(config);
  const devices: PlannedDevice[] = [];
  const problems: Problem[] = [];
  for (const [name, device] of Object.entries(config.devices)) {
    if (!device.enabled) continue;
    const driver = await loaded(device.driver, dirs);
    if (driver instanceof DriverError) {
      problems.push(problemAt(source, ['devices', name, 'driver'], '', driver.message));
      continue;
    }
    const result = checkDevice(name, device, driver, dirs);
    if (result.ok) devices.push({ config: device, plan: result.plan });
    else {
      for (const { path, value, error, schema } of result.errors) {
        problems.push(...zodProblems(source, ['devices', name, ...path], value, error, schema));
      }
    }
  }
  return { devices, problems };
}

/** What the drivers find wrong with a config that has other mistakes too: unknown drivers, options that do not fit. */
export async function driverProblems({ devices, drivers_dir, source }: ConfigDraft): Promise<Problem[]> {
  const problems: Problem[] = [];
  for (const { name, driver: driverName, options } of devices) {
    const driver = await loaded(driverName, driverDirs({ drivers_dir }));
    if (driver instanceof DriverError) {
      problems.push(problemAt(source, ['devices', name, 'driver'], '', driver.message));
      continue;
    }
    const { error } = driver.options.safeParse(options);
    if (error) problems.push(...zodProblems(source, ['devices', name, 'options'], options, error, driver.options));
  }
  return problems;
}

function driverDirs({ drivers_dir }: Pick<Config, 'drivers_dir'>): string[] {
  return [builtInDriversDir, ...(drivers_dir === undefined ? [] : [drivers_dir])];
}

async function loaded(name: string, dirs: readonly string[]): Promise<Driver | DriverError> {
  try {
    return await loadDriver(name, { dirs });
  } catch (error) {
    if (error instanceof DriverError) return error;
    throw error;
  }
}
