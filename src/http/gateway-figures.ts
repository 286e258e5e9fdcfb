// Everything that a gateway counts, gathered at one moment for the metrics.

import type { Config } from '../config/schema.js';
import { deviceFigures } from '../group/device-figures.js';
import type { DeviceGroup } from '../group/device-set.js';
import type { UplinkFigures } from '../uplink/uplink.js';
import type { GatewayFigures } from './gateway-view.js';

/** Where the figures are. */
export interface FigureSources {
  readonly version: string;
  readonly isReady: boolean;
  readonly config: Pick<Config, 'devices' | 'spool'>;
  readonly groups: { get(device: string): DeviceGroup | undefined };
  readonly uplink: { readonly figures: UplinkFigures; dropped(device: string): number };
  readonly commands: GatewayFigures['commands'];
}

/** The figures of now. */
export function gatherFigures({ version, isReady, config, groups, uplink, commands }: FigureSources): GatewayFigures {
  const devices = Object.entries(config.devices).map(([name, { enabled }]) => {
    const group = groups.get(name);
    const figures = group === undefined ? undefined : deviceFigures(group);
    return { name, figures, isDisabled: !enabled, dropped: uplink.dropped(name) };
  });
  return { version, isReady, devices, uplink: uplink.figures, spoolLimitBytes: config.spool.max_size, commands };
}
