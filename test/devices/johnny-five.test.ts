import test from 'ava';
import driver from '../../devices/johnny-five.js';
import { MCP9808_ADDRESS, Mcp9808 } from '../../src/hil/avr/mcp9808.js';
import { boardRig, pairedHost } from '../support/board-host.js';
import { seededRandom } from '../support/seeded-random.js';

/** On a loaded machine the chip runs slower than real time. */
const SOON_MS = 20_000;

function faults(components: object): string[] {
  const { error } = driver.options.safeParse({ components });
  return (error?.issues ?? []).map(({ path, message }) => [...path, message].join('.'));
}

test('wrong components are told with their place', (t) => {
  t.deepEqual(faults({}), ['components.name at least one component']);
  t.regex(String(faults({ a: { type: 'lde', pin: 1 } })), /components\.a\.type/);
  t.regex(String(faults({ a: { type: 'led', pin: 'B1' } })), /components\.a\.pin\.expected a pin/);
  t.regex(String(faults({ a: { type: 'led', pin: 1, bright: 1 } })), /bright/);
  t.regex(String(faults({ a: { type: 'thermometer', controller: 'LM35' } })), /needs a pin/);
  t.deepEqual(faults({ a: { type: 'thermometer', controller: 'MCP9808' } }), []);
});

test('two components on one pin are refused, however the pin is written', (t) => {
  const led = { type: 'led', pin: '13' };
  t.deepEqual(faults({ led, relay: { type: 'relay', pin: 13 } }), ['components.two of them on pin 13: led and relay']);
  const motor = { type: 'motor', pins: { pwm: 3, dir: 12 } };
  t.deepEqual(faults({ motor, led: { type: 'led', pin: 12 } }), ['components.two of them on pin 12: motor and led']);
});

test.serial('outputs: the pins of the chip do what they are told', async (t) => {
  const { board, set, get } = await boardRig(t, 'johnny-five', driver, {
    components: {
      led: { type: 'led', pin: 13 },
      relay: { type: 'relay', pin: 7, wiring: 'NC' },
      lamp: { type: 'rgb-led', pins: { red: 9, green: 10, blue: 11 } },
      fan: { type: 'motor', pins: { pwm: 5, dir: 4 } },
      buzzer: { type: 'piezo', pin: 8 },
    },
  });
  const unknown = { led: null, relay: null, fan: null, buzzer: 0, lamp: { on: false, color: '#ffffff' } };
  t.deepEqual(await get(), unknown);
  t.is(await set('led', 'on'), undefined);
  await board.untilDigital(13, 'high', SOON_MS);
  t.is(await set('led', { state: 'toggle' }), undefined);
  await board.untilDigital(13, 'low', SOON_MS);
  t.is(await set('led', { blink: 40 }), undefined);
  await board.untilDigital(13, 'high', SOON_MS);
  await board.untilDigital(13, 'low', SOON_MS);
  t.is(await set('led', 'off'), undefined);
  await set('relay', 'off');
  await board.untilDigital(7, 'high', SOON_MS); // normally closed: open is driven
  await set('relay', true);
  await board.untilDigital(7, 'low', SOON_MS);
  await set('lamp', '#ff8000');
  await board.until(() => board.pwm(9) > 0.98 && Math.abs(board.pwm(10) - 0.5) < 0.02, SOON_MS, 'orange');
  t.is(board.pwm(11), 0);
  await set('fan', { speed: 128, direction: 'reverse' });
  await board.until(() => Math.abs(board.pwm(5) - 0.5) < 0.02, SOON_MS, 'half speed');
  t.is(board.digital(4), 'low');
  await set('fan', 255);
  await board.until(() => board.pwm(5) > 0.98, SOON_MS, 'full speed');
  await set('fan', 'stop');
  await board.until(() => board.pwm(5) === 0, SOON_MS, 'no speed');
  let waves = 0;
  board.onDigital(8, () => {
    waves += 1;
  });
  await set('buzzer', { frequency: 100, duration: 200 });
  await board.until(() => waves > 15, SOON_MS, 'a tone');
  t.deepEqual(await get(), {
    led: false,
    relay: true,
    lamp: { on: true, color: '#ff8000' },
    fan: { speed: 0, direction: 'reverse' },
    buzzer: 100,
  });
});

test.serial('what a component does not accept is answered with what it does', async (t) => {
  const { set } = await boardRig(t, 'johnny-five', driver, {
    components: {
      led: { type: 'led', pin: 13 },
      arm: { type: 'servo', pin: 3, range: [10, 170], start_at: 90 },
      wheel: { type: 'servo', pin: 2, continuous: true },
      fan: { type: 'motor', pins: { pwm: 5 } },
      pot: { type: 'potentiometer', pin: 'A0' },
    },
  });
  const rejected = async (channel: string | undefined, wanted: unknown): Promise<string> =>
    String(await set(channel, wanted));
  t.regex(
    await rejected('led', 'maybe'),
    /^led: got "maybe"; it accepts: on, off, toggle, stop, \{"state": .*\{"blink": ms\}/,
  );
  t.regex(await rejected('led', { blink: 1 }), /led: expected \{"blink": ms\}, got .*20/);
  t.regex(await rejected('led', { blink: 100, colour: 1 }), /colour/);
  t.regex(await rejected('led', { brightness: 9 }), /pin 13 has no PWM/);
  t.regex(await rejected('arm', 180), /arm: expected \{"to": degrees, "time": ms\}, got \{"to":180\}.*170/);
  t.regex(await rejected('wheel', 90), /accepts: stop, .*\{"cw": 0\.\.1\}/);
  t.regex(await rejected('fan', { speed: 9, direction: 'reverse' }), /no dir pin/);
  t.regex(await rejected('fan', 'brake'), /no brake pin/);
  t.regex(await rejected('pot', 1), /pot is an input and takes no commands; it takes: set\/led, set\/arm/);
  t.regex(await rejected('nothing', 1), /no channel "nothing"/);
  t.regex(await rejected(undefined, 'on'), /expected an object such as \{"led": \.\.\.\}/);
  t.regex(await rejected(undefined, { led: 'on', arm: 1000, nix: 1 }), /^arm: .*; no channel "nix"/);
  t.is(await set('arm', { to: 20, time: 200 }), undefined);
  t.is(await set('wheel', { ccw: 0.5 }), undefined);
});

test.serial('inputs: levels, volts and I2C become readings', async (t) => {
  const { board, reads, details, ...rig } = await boardRig(t, 'johnny-five', driver, {
    components: {
      button: { type: 'button', pin: 2, pullup: true },
      door: { type: 'switch', pin: 3 },
      pir: { type: 'motion', pin: 4, calibration_ms: 0 },
      level: { type: 'sensor', pin: 'A0', scale: [0, 100], threshold: 1 },
      light: { type: 'photoresistor', pin: 'A1', threshold: 4 },
      lm35: { type: 'thermometer', controller: 'LM35', pin: 'A2' },
      distance: { type: 'proximity', controller: 'GP2Y0A41SK0F', pin: 'A3' },
      stick: { type: 'joystick', pins: { x: 14, y: 15 } },
      chip: { type: 'thermometer', controller: 'MCP9808', sample_ms: 100 },
    },
  });
  t.is(details.firmware, 'StandardFirmata 2.4');
  t.deepEqual((details.components as Record<string, string>).pir, 'motion');
  board.attachTwi(MCP9808_ADDRESS, new Mcp9808({ celsius: 31.5 }));
  board.setDigital(2, 'low');
  await reads('button', (value) => value === true);
  board.setDigital(3, 'low');
  await reads('door', (value) => value === true);
  board.setDigital(3, 'open');
  await reads('door', (value) => value === false);
  board.setDigital(4, 'high');
  await reads('pir', (value) => value === true);
  board.setAnalog(0, 2.5);
  await reads('level', (value) => typeof value === 'number' && Math.abs(value - 50) < 1);
  board.setAnalog(1, 5);
  await reads('light', (value) => value === 1023);
  board.setAnalog(2, 0.25);
  await reads('lm35', (value) => typeof value === 'number' && Math.abs(value - 25) < 1);
  board.setAnalog(3, 1.5);
  await reads('distance', (value) => typeof value === 'number' && value > 1 && value < 40);
  await reads('chip', (value) => value === 31.5);
  await reads('stick', (value) => typeof value === 'object');
  t.true(rig.readings.length < 200, `${rig.readings.length} readings: changes gather`);
});

test.serial('a board that says nothing is told as such, one that says something else too', async (t) => {
  const options = driver.options.parse({ components: { led: { type: 'led', pin: 13 } }, answer_within_ms: 500 });
  const dumb = pairedHost();
  await t.throwsAsync(driver.open(dumb.host, options), {
    message: /no Firmata answer within 0\.5 s, nothing came at all/,
  });
  const other = pairedHost();
  const opening = t.throwsAsync(driver.open(other.host, options), { message: /though \d+ bytes came/ });
  const chatter = setInterval(() => other.line.send('23.5 C\r\n'), 50);
  await opening;
  clearInterval(chatter);
});

test.serial('a pin that the board does not have is told with the component', async (t) => {
  await t.throwsAsync(boardRig(t, 'johnny-five', driver, { components: { led: { type: 'led', pin: 99 } } }), {
    message: /^component led: /,
  });
});

test.serial('noise on the line costs messages, not the session', async (t) => {
  const { board, set, noise } = await boardRig(t, 'johnny-five', driver, {
    components: { led: { type: 'led', pin: 13 }, pot: { type: 'sensor', pin: 'A0' } },
  });
  const random = seededRandom(7);
  const START_SYSEX = 0xf0;
  const END_SYSEX = 0xf7;
  const PIN_STATE = 0x6e; // of a pin that is not there: firmata-io throws
  for (let i = 0; i < 200; i++) {
    const body = Array.from({ length: Math.floor(random() * 40) }, () => Math.floor(random() * 256));
    noise(Buffer.from([START_SYSEX, PIN_STATE, 120, ...body, END_SYSEX]));
  }
  for (const level of ['high', 'low'] as const) {
    t.is(await set('led', level === 'high'), undefined);
    await board.untilDigital(13, level, SOON_MS);
  }
});
