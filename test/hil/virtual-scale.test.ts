import test from 'ava';
import { makeScale } from '../../src/hil/virtual-scale.js';
import { FakeClock } from '../support/fake-clock.js';

const READING = /^(?:ST|US),(?:GS|NT),[+-]\d{4}\.\d{2},kg\r\n$/;

test('every reading has the same shape, whatever lies on the scale', async (t) => {
  const clock = new FakeClock();
  const scale = makeScale({ clock });
  for (let i = 0; i < 400; i += 1) {
    if (i === 100) scale.answer?.('tare');
    t.regex(scale.next(), READING);
    await clock.advance(scale.everyMs);
  }
});

test('a load swings, then rests, and after a while the scale is empty', async (t) => {
  const clock = new FakeClock();
  const scale = makeScale({ clock });
  t.true(scale.next().startsWith('US,GS,'));
  await clock.advance(2000);
  const resting = scale.next();
  t.true(resting.startsWith('ST,GS,+'));
  await clock.advance(200);
  t.is(scale.next(), resting);
  await clock.advance(11_000);
  t.is(scale.next(), 'ST,GS,+0000.00,kg\r\n');
});

test('tare makes the readings net and zero: what is taken off then is negative', async (t) => {
  const clock = new FakeClock();
  const scale = makeScale({ clock });
  await clock.advance(2000);
  const gross = scale.next();
  t.is(scale.answer?.('tare'), 'OK,TARE\r\n');
  t.is(scale.next(), 'ST,NT,+0000.00,kg\r\n');
  await clock.advance(11_000);
  t.is(scale.next(), gross.replace('GS,+', 'NT,-'));
});

test('zero takes the tare away again', async (t) => {
  const clock = new FakeClock();
  const scale = makeScale({ clock });
  await clock.advance(2000);
  scale.answer?.('tare');
  t.is(scale.answer?.(' ZERO '), 'OK,ZERO\r\n');
  t.is(scale.next(), 'ST,GS,+0000.00,kg\r\n');
});

test('a command that the scale does not know is answered with an error', (t) => {
  const scale = makeScale({ clock: new FakeClock() });
  t.is(scale.answer?.('constructor'), 'ERR,UNKNOWN,constructor\r\n');
});
