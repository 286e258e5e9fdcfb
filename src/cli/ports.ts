// `ferrule ports`: which serial ports there are, how to name them in a config, and who holds them; with `--udev`, rules that give
// them names which stay.

import { listPorts, listPortsWithHolders, type SerialPortInfo, type SystemRoots } from '../device/ports.js';
import { udevPlace } from './udev-place.js';
import { udevRules } from './udev-rules.js';

export interface PortsOptions extends SystemRoots {
  /** One JSON array instead of a table. */
  readonly json: boolean;
  /** udev rules instead of a table. */
  readonly udev?: boolean;
}

const NONE = [
  'No serial ports found. To check:',
  '  - is the device plugged in, and is its cable one with data lines? `lsusb` lists what the bus sees',
  '  - did the kernel find a driver? `dmesg | tail` right after plugging in says so',
  '  - in a container, is the device passed to it? (--device /dev/ttyUSB0, or `devices:` in compose)',
  '  - a UART on the pins of a Raspberry Pi must be enabled first (`raspi-config`, Interface Options, Serial)',
];

/** Prints the ports line by line; answers the exit code, always 0: no ports is an answer too. */
export async function runPorts(out: (line: string) => void, options: PortsOptions): Promise<number> {
  if (options.udev) return printRules(out, options);
  const ports = await listPortsWithHolders(options);
  if (options.json) out(JSON.stringify(ports, null, 2));
  else for (const line of ports.length > 0 ? table(ports) : NONE) out(line);
  return 0;
}

async function printRules(out: (line: string) => void, roots: SystemRoots): Promise<number> {
  const ports = await listPorts(roots);
  const placed = await Promise.all(ports.map(async (port) => ({ port, place: await udevPlace(port.path, roots) })));
  // What is no rule is a comment, so that the output is a rules file in any case.
  for (const line of placed.length > 0 ? udevRules(placed) : NONE.map((words) => `# ${words}`)) out(line);
  return 0;
}

function table(ports: readonly SerialPortInfo[]): string[] {
  const rows = [['PATH', 'USB ID', 'SERIAL', 'DEVICE', 'HELD BY', 'BY-ID'], ...ports.map(cells)];
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

function cells(port: SerialPortInfo): string[] {
  return [
    port.path,
    port.vendorId === undefined ? '-' : `${port.vendorId}:${port.productId ?? '?'}`,
    port.serialNumber ?? '-',
    [port.manufacturer, port.product].filter(Boolean).join(' ') || port.driver || '-',
    port.holder ? `${port.holder.pid} (${port.holder.command})` : '-',
    port.byId ?? '-',
  ];
}
