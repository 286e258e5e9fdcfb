import test from 'ava';
import { type ScreenParts, screenLines } from '../../../src/cli/demo/live-screen.js';

const PARTS: ScreenParts = {
  title: ['the demo'],
  table: ['DEVICE', 'gps', 'scale'],
  hardware: ['BEHIND', '  uno'],
  tries: [
    { command: 'switch', remark: 'the lamp' },
    { command: 'watch', remark: 'all' },
  ],
  notes: ['1', '2', '3', '4', '5'],
};
const HEADING = 'Try in another terminal (Ctrl-C here ends the demo):';
const command = (name: string, remark: string): string => `  ${name.padEnd(54)}  ${remark}`;

test('a high terminal gets everything, with a line between the parts', (t) => {
  t.deepEqual(screenLines(PARTS, { width: 80, height: 40 }), [
    ...['the demo', '', 'DEVICE', 'gps', 'scale', '', 'BEHIND', '  uno', ''],
    ...[HEADING, command('switch', 'the lamp'), command('watch', 'all'), '', '1', '2', '3', '4', '5'],
  ]);
});

test('a lower one loses older notes first, then commands, the lines between, and last what is behind the wires', (t) => {
  const at = (height: number): string[] => screenLines(PARTS, { width: 80, height }).map((line) => line.trim());
  t.deepEqual(at(16).slice(-3), ['3', '4', '5']);
  t.deepEqual(at(15).slice(-3), ['', '4', '5']);
  t.false(at(14).some((line) => line.startsWith('watch')));
  t.true(at(14).some((line) => line.startsWith('switch')));
  t.deepEqual(at(10).includes(''), false);
  t.deepEqual(at(7), ['the demo', 'DEVICE', 'gps', 'scale', 'BEHIND', 'uno', '5']);
  t.deepEqual(at(5), ['the demo', 'DEVICE', 'gps', 'scale', '5']);
  t.deepEqual(at(1), ['the demo', 'DEVICE', 'gps', 'scale']);
});

test('nothing is higher or wider than the terminal, and nothing jumps when the notes come', (t) => {
  for (let height = 4; height < 40; height += 1) {
    for (let width = 1; width < 90; width += 7) {
      const { table: _table, hardware: _hardware, ...rest } = PARTS;
      const parts = { ...rest, table: [], hardware: [] }; // those two are made to fit by who makes them
      const full = screenLines(parts, { width, height });
      t.true(full.length <= height, `${height}: ${full.length}`);
      t.true(
        full.every((line) => [...line].length <= width),
        `${width}: ${full.join('|')}`,
      );
      const before = screenLines({ ...parts, notes: [] }, { width, height });
      t.deepEqual(full.slice(0, before.length), before);
    }
  }
});

test('a command keeps its remark only where there is room for both', (t) => {
  t.deepEqual(screenLines(PARTS, { width: 60, height: 40 }).slice(10, 12), ['  switch', '  watch']);
});
