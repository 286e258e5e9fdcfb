import test from 'ava';
import { makePlainView } from '../../../src/cli/demo/plain-view.js';
import { FakeClock } from '../../support/fake-clock.js';

function makeView() {
  const out: string[] = [];
  const err: string[] = [];
  const clock = new FakeClock();
  const view = makePlainView({ clock, out: (line) => out.push(line), err: (line) => err.push(line) });
  return { view, out, err };
}

const AT = '00:00:00.000';

test('each reading, change of state and change of the hardware is one line with its time', (t) => {
  const { view, out } = makeView();
  view.happened([
    { kind: 'reading', topic: 'ferrule/demo/gps', text: 'a\nb\x1b[31m' },
    { kind: 'state', device: 'cell', state: 'online', reason: 'tcp', awayMs: 8123 },
    { kind: 'note', device: 'scale', text: 'set tare: ok' },
  ]);
  view.hardware('arduino', 'pin 13 is high');
  t.deepEqual(out, [
    `${AT} ferrule/demo/gps a b [31m`,
    `${AT} [cell] online again after 8.1 s: tcp`,
    `${AT} [scale] set tare: ok`,
    `${AT} [arduino] hardware: pin 13 is high`,
  ]);
});

test('a device that is away and tries again and again is told once', (t) => {
  const { view, out } = makeView();
  for (let round = 0; round < 3; round += 1) {
    view.happened([{ kind: 'state', device: 'cell', state: 'connecting', reason: 'again' }]);
    view.happened([{ kind: 'state', device: 'cell', state: 'backing-off', reason: 'nobody listens' }]);
  }
  t.deepEqual(out, [`${AT} [cell] backing-off: nobody listens`]);
});

test('warnings go to stderr, what is only told does not', (t) => {
  const { view, out, err } = makeView();
  view.log({ level: 'info', text: 'online' });
  view.log({ level: 'warn', text: 'lost' });
  t.deepEqual([out, err], [[], ['warn: lost']]);
});
