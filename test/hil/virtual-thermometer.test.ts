import test from 'ava';
import { makeHygrometer } from '../../src/hil/virtual-hygrometer.js';
import { makeThermometer } from '../../src/hil/virtual-thermometer.js';
import { FakeClock } from '../support/fake-clock.js';

test('the thermometer wanders around its temperature, one JSON object a line', async (t) => {
  const clock = new FakeClock();
  const thermometer = makeThermometer({ clock, around: 50 });
  for (let i = 0; i < 300; i += 1) {
    const { temperature, unit } = JSON.parse(thermometer.next());
    t.is(unit, 'C');
    t.true(temperature > 46 && temperature < 54);
    await clock.advance(thermometer.everyMs);
  }
});

test('the thermometer changes its unit on command and says nothing to what it does not understand', (t) => {
  const thermometer = makeThermometer({ clock: new FakeClock(), around: 100 });
  t.true(JSON.parse(thermometer.answer?.('{"unit":"F"}') ?? '').temperature > 200);
  t.is(JSON.parse(thermometer.next()).unit, 'F');
  t.is(thermometer.answer?.('{"unit":"K"}'), undefined);
  t.is(thermometer.answer?.('hello'), undefined);
  thermometer.answer?.('{"unit":"C"}');
  t.is(JSON.parse(thermometer.next()).unit, 'C');
});

test('the hygrometer sends a line of text', (t) => {
  t.regex(makeHygrometer({ clock: new FakeClock() }).next(), /^humidity \d\d\.\d %\n$/);
});
