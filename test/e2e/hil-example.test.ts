// The example of the README, word for word: a test of a user's, with nothing but AVA and `ferrule/hil`.

import test from 'ava';
import { rig } from 'ferrule/hil';

const config = {
  devices: {
    scale: { driver: 'lines' },
    uno: {
      driver: 'johnny-five',
      options: { components: { led: { type: 'led', pin: 13 }, light: { type: 'sensor', pin: 'A0' } } },
    },
  },
};

test('the scale is read and tared, and its absence is noticed', async (t) => {
  const bench = await rig({ config }); // a real gateway process, with a broker of its own
  t.teardown(() => bench.stop());
  const scale = await bench.serial('scale'); // a virtual serial port; the gateway has opened it

  scale.send('ST,GS,+0012.34,kg\n');
  await bench.expect('scale', /\+0012\.34,kg/);

  scale.reply({ tare: 'OK,TARE\n' });
  await bench.publish('scale/set', 'tare');
  await bench.expect('scale', 'OK,TARE');

  await scale.unplug();
  await bench.expect('scale/availability', { state: 'offline' });
  t.pass();
});

test('the lamp on an Arduino can be switched, and its light sensor is heard', async (t) => {
  const bench = await rig({ config });
  t.teardown(() => bench.stop());
  const uno = await bench.avr('uno'); // the real StandardFirmata on a simulated chip

  await bench.publish('uno/set/led', { state: 'on' });
  await uno.expectPin(13, 'high', 5000);

  uno.chip.setAnalog(0, 2.5);
  await bench.expect('uno', { light: 512 });
  t.pass();
});
