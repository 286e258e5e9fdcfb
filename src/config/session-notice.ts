// Commands that a broker has kept (`mqtt.session_expiry`) come as soon as the gateway is connected, when no link is open yet: a device
// that does not hold them refuses them all. No mistake, but hardly what was meant. Pure.

import type { Config } from './schema.js';

/** What to tell the user about that; nothing where there is nothing to tell. */
export function sessionNotices({ mqtt, devices }: Pick<Config, 'mqtt' | 'devices'>): string[] {
  const enabled = Object.values(devices).filter((device) => device.enabled);
  const holds = enabled.some(({ commands, link }) => commands.when_offline === 'hold' && link.type !== 'tcp-listen');
  if (mqtt.session_expiry === 0 || enabled.length === 0 || holds) return [];
  return [
    'mqtt.session_expiry has the broker keep commands, but no device has commands.when_offline: hold: what comes at the start, before a link is open, is refused',
  ];
}
