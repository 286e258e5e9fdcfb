// What is behind the wires, as lines for the screen: what was commanded over MQTT beside what the pin of the simulated chip
// does. Pure.

import { ARDUINO } from './demo-config.js';
import { type DeviceRow, isUp } from './device-board.js';
import { cut, type TableLook } from './live-table.js';
import type { PlantView } from './virtual-plant.js';

/** Before it has been reached for the first time. */
const STARTING = new Set(['', 'idle', 'connecting']);

/** A heading and a line for each. `arduino`: what is known of the board over MQTT. */
export function hardwareLines(plant: PlantView, arduino: DeviceRow | undefined, look: TableLook): string[] {
  const lines = [arduinoLine(plant, arduino), thermometerLine(plant)].filter((line) => line !== undefined);
  return [
    painted(cut('BEHIND THE WIRES', look.width), '2', look),
    ...lines.map((line) => coloured(cut(line, look.width, 'keep-indent'), look)),
  ];
}

function arduinoLine({ arduino }: PlantView, row: DeviceRow | undefined): string | undefined {
  if (arduino === undefined) return undefined;
  const { led, volts } = arduino;
  if (row === undefined || STARTING.has(row.state)) return `  ${ARDUINO}      starting: its firmware takes 2 s`;
  const pin = led === 'high' ? '● high' : '○ low ';
  const command = isUp(row.state) ? row.command || 'no command yet' : 'not reached';
  return `  ${ARDUINO}      ${command}  ->  pin 13 ${pin}   A0 ${volts.toFixed(2)} V`;
}

function thermometerLine({ thermometer: { plug, leftMs } }: PlantView): string {
  const left = Math.ceil(leftMs / 1000);
  return plug === 'in'
    ? `  thermometer  plugged in, will be pulled in ${left} s`
    : `  thermometer  UNPLUGGED, back in ${left} s`;
}

/** The lamp is yellow, a plug that is out too. */
function coloured(line: string, look: TableLook): string {
  return line.replace(/● high|UNPLUGGED/, (text) => painted(text, '33', look));
}

function painted(text: string, colour: string, { hasColour }: TableLook): string {
  return hasColour ? `\x1b[${colour}m${text}\x1b[0m` : text;
}
