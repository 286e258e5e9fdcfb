// The `devices` of a ferrule.yaml that reach the devices of a simulation: what `ferrule sim --print-config` prints.

import { stringify } from 'yaml';
import { type LinePlace, parseLinePlace } from './line-place.js';
import type { SimDeviceConfig, SimFile } from './sim-schema.js';

/** Driver for each kind of device, and what it needs to be told. */
const DRIVERS: Readonly<Record<SimDeviceConfig['type'], object>> = {
  gnss: { driver: 'nmea0183' },
  scale: { driver: 'lines' },
  thermometer: { driver: 'json-lines' },
  hygrometer: { driver: 'lines' },
  'modbus-rtu': { driver: 'raw', framing: { type: 'silence', gap: '10ms', checksum: { type: 'crc16-modbus' } } },
  'modbus-tcp': { driver: 'raw', framing: { type: 'raw' } },
  avr: {
    driver: 'firmata',
    options: { pins: { led: { mode: 'output', pin: 13 }, a0: { mode: 'analog', pin: 'A0' } } },
  },
  script: { driver: 'lines' },
  replay: { driver: 'lines' },
};

/** The YAML text. `drivers`: of recordings that name their driver, by device. */
export function simConfig({ devices }: SimFile, dir: string, drivers: ReadonlyMap<string, object> = new Map()): string {
  const entries = Object.entries(devices).map(([name, { type, link }]) => {
    const place = parseLinePlace(link, dir);
    return [name, { ...DRIVERS[type], ...drivers.get(name), link: place ? linkOf(place) : link }];
  });
  return stringify({ devices: Object.fromEntries(entries) });
}

/** As the gateway sees it: who listens there, connects here. */
function linkOf(place: LinePlace): string {
  if (place.kind === 'pty') return `serial:${place.path}`;
  const host = place.host.includes(':') ? `[${place.host}]` : place.host;
  return place.kind === 'tcp' ? `tcp://${anyHost(host)}:${place.port}` : `tcp-listen://${host}:${place.port}`;
}

/** A device that listens on all addresses is reached on loopback. */
function anyHost(host: string): string {
  return host === '0.0.0.0' ? '127.0.0.1' : host;
}
