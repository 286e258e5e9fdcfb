import test from 'ava';
import { LiveRegion } from '../../../src/cli/demo/live-region.js';
import { brief, cut, type TableRow, tableLines } from '../../../src/cli/demo/live-table.js';

const ROWS: readonly TableRow[] = [
  { device: 'gps', link: '/dev/pts/3', state: 'online', rate: '1.0', last: 'lat 47.3 lon 8.5' },
  {
    device: 'thermometer',
    link: '127.0.0.1:40123',
    state: 'backing-off',
    rate: '',
    last: 'nobody listens on 127.0.0.1',
  },
];
const plain = { hasColour: false };

test('a wide terminal gets every column', (t) => {
  t.deepEqual(tableLines(ROWS, { width: 80, ...plain }), [
    'DEVICE       LINK             STATE        PER S  LAST READING',
    'gps          /dev/pts/3       online         1.0  lat 47.3 lon 8.5',
    'thermometer  127.0.0.1:40123  backing-off         nobody listens on 127.0.0.1',
  ]);
});

test('a narrow terminal loses the link, then the rate, and cuts the rest', (t) => {
  t.deepEqual(tableLines(ROWS, { width: 55, ...plain }), [
    'DEVICE       STATE        PER S  LAST READING',
    'gps          online         1.0  lat 47.3 lon 8.5',
    'thermometer  backing-off         nobody listens on 127…',
  ]);
  t.deepEqual(tableLines(ROWS, { width: 34, ...plain }), [
    'DEVICE       STATE        LAST RE…',
    'gps          online       lat 47.…',
    'thermometer  backing-off  nobody …',
  ]);
});

test('no line is wider than the terminal, however narrow', (t) => {
  for (let width = 1; width < 120; width += 1) {
    for (const line of tableLines(ROWS, { width, ...plain })) t.true([...line].length <= width, `${width}: ${line}`);
  }
});

test('colours add no visible character', (t) => {
  const coloured = tableLines(ROWS, { width: 80, hasColour: true });
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escape codes are what is looked for
  const bare = coloured.map((line) => line.replaceAll(/\x1b\[\d+m/g, ''));
  t.deepEqual(bare, tableLines(ROWS, { width: 80, ...plain }));
  t.notDeepEqual(bare, coloured);
});

test('a device cannot write escape codes or line ends into the table', (t) => {
  t.is(cut('a\x1b[31mb\r\nc\u2028d\u202ee', 20), 'a [31mb c d e');
});

test('a JSON reading is shown as its values, without times; any other as it is', (t) => {
  t.is(brief('{"time":"2026-01-01T00:00:00.000Z","position":{"lat":1.5,"lon":2},"ok":true}'), 'lat 1.5 lon 2 ok true');
  t.is(brief('{"torn'), '{"torn');
  t.is(brief('ST,GS,+0001.00,kg'), 'ST,GS,+0001.00,kg');
});

test('the region writes nothing when nothing has changed, and passes over lines that have not', (t) => {
  const written: string[] = [];
  const terminal = { write: (text: string) => written.push(text), columns: 80, rows: 24 };
  const region = new LiveRegion(terminal);
  region.paint(['a', 'b', 'c']);
  written.length = 0;
  region.paint(['a', 'b', 'c']);
  t.deepEqual(written, []);
  region.paint(['a', 'B', 'c']);
  t.deepEqual(written, ['\x1b[?7l\r\x1b[3A\nB\x1b[K\n\n\x1b[J\x1b[?7h']);
});

test('the region never gets higher than the terminal, and gives the cursor back', (t) => {
  const written: string[] = [];
  const region = new LiveRegion({ write: (text: string) => written.push(text), columns: 80, rows: 3 });
  region.paint(['a', 'b', 'c', 'd']);
  t.false(written.join('').includes('c'));
  region.end();
  t.true(written.join('').endsWith('\x1b[?25h'));
});
