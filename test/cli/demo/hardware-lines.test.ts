import test from 'ava';
import { ArrivalRate } from '../../../src/cli/demo/arrival-rate.js';
import type { DeviceRow } from '../../../src/cli/demo/device-board.js';
import { hardwareLines } from '../../../src/cli/demo/hardware-lines.js';
import type { PlantView } from '../../../src/cli/demo/virtual-plant.js';

const look = { width: 80, hasColour: false };
const thermometer = { plug: 'in', leftMs: 11_200 } as const;
const arduino = (state: string, command = ''): DeviceRow => ({
  ...{ name: 'arduino', link: '', state, reason: '', since: 0, awaySince: undefined, command, last: '' },
  rate: new ArrivalRate(),
});

test('what the pin of the chip does stands beside what was commanded', (t) => {
  const plant: PlantView = { thermometer, arduino: { led: 'high', volts: 2.434 } };
  t.deepEqual(hardwareLines(plant, arduino('online', 'set/led {"blink":500}'), look), [
    'BEHIND THE WIRES',
    '  arduino      set/led {"blink":500}  ->  pin 13 ● high   A0 2.43 V',
    '  thermometer  plugged in, will be pulled in 12 s',
  ]);
  const low: PlantView = { thermometer, arduino: { led: 'low', volts: 0 } };
  t.is(
    hardwareLines(low, arduino('online', 'set/led off'), look)[1],
    '  arduino      set/led off  ->  pin 13 ○ low    A0 0.00 V',
  );
});

test('a board that is not online yet is starting; without a board there is no line for it', (t) => {
  const plant: PlantView = { thermometer, arduino: { led: undefined, volts: 0 } };
  for (const row of [undefined, arduino('connecting')]) {
    t.is(hardwareLines(plant, row, look)[1], '  arduino      starting: its firmware takes 2 s');
  }
  t.regex(
    hardwareLines(plant, arduino('parked', 'set/led on'), look)[1] ?? '',
    /^ {2}arduino {6}not reached {2}-> {2}pin 13/,
  );
  t.deepEqual(hardwareLines({ thermometer: { plug: 'out', leftMs: 4000 } }, undefined, look), [
    'BEHIND THE WIRES',
    '  thermometer  UNPLUGGED, back in 4 s',
  ]);
});

test('no line is wider than the terminal, colours not counted, whatever was commanded', (t) => {
  const plant: PlantView = { thermometer, arduino: { led: 'high', volts: 5 } };
  const row = arduino('online', `set ${'x'.repeat(500)}\x1b[31m\n`);
  for (const width of [1, 20, 60, 79]) {
    for (const line of hardwareLines(plant, row, { width, hasColour: true })) {
      // biome-ignore lint/suspicious/noControlCharactersInRegex: escape codes are what is looked for
      const bare = line.replaceAll(/\x1b\[\d+m/g, '');
      t.true([...bare].length <= width && !bare.includes('\x1b'), `${width}: ${bare}`);
    }
  }
});
