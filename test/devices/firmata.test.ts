import test from 'ava';
import { watchBoard } from '../../devices/firmata/board.js';
import driver from '../../devices/firmata.js';
import { boardRig, pairedHost } from '../support/board-host.js';
import { eventually } from '../support/eventually.js';

/** On a loaded machine the chip runs slower than real time. */
const SOON_MS = 20_000;

function faults(pins: object): string[] {
  const { error } = driver.options.safeParse({ pins });
  return (error?.issues ?? []).map(({ path, message }) => [...path, message].join('.'));
}

test('wrong pins are told with their place', (t) => {
  t.deepEqual(faults({}), ['pins.name at least one pin']);
  t.regex(String(faults({ a: { pin: 1, mode: 'in' } })), /pins\.a\.mode/);
  t.regex(String(faults({ 'a/b': { pin: 1, mode: 'input' } })), /a name has letters/);
  const [a, b] = [
    { pin: 13, mode: 'output' },
    { pin: '13', mode: 'input' },
  ];
  t.deepEqual(faults({ a, b }), ['pins.two of them on pin 13: a and b']);
});

test.serial('pins are set, read and reported', async (t) => {
  const { board, set, get, reads, details } = await boardRig(t, 'firmata', driver, {
    pins: {
      led: { pin: 13, mode: 'output', initial: true },
      low: { pin: 12, mode: 'output', invert: true },
      dimmer: { pin: 6, mode: 'pwm' },
      arm: { pin: 10, mode: 'servo' },
      button: { pin: 2, mode: 'pullup' },
      beam: { pin: 3, mode: 'input' },
      extra: { pin: 'A5', mode: 'output' },
      volts: { pin: 'A0', mode: 'analog', scale: [0, 5], threshold: 0.02 },
    },
  });
  await board.untilDigital(13, 'high', SOON_MS);
  t.deepEqual(details.pwm, [3, 5, 6, 9, 10, 11]);
  t.is(await set('led', 'toggle'), undefined);
  await board.untilDigital(13, 'low', SOON_MS);
  t.is(await set(undefined, { low: 'on', dimmer: 64, arm: { to: 120 }, extra: true }), undefined);
  await board.until(() => Math.abs(board.pwm(6) - 0.25) < 0.02, SOON_MS, 'a quarter on pin 6');
  await board.untilDigital(19, 'high', SOON_MS);
  t.is(board.digital(12), 'low');
  t.is(board.mode(2), 'pull-up');
  await reads('button', (value) => value === false);
  board.setDigital(2, 'low');
  await reads('button', (value) => value === true);
  board.setDigital(3, 'high');
  await reads('beam', (value) => value === true);
  board.setAnalog(0, 1.25);
  await reads('volts', (value) => typeof value === 'number' && Math.abs(value - 1.25) < 0.02);
  t.like(await get(), { led: false, low: true, dimmer: 64, arm: 120, button: true, extra: true });
  t.regex(JSON.stringify(await set('dimmer', 300)), /dimmer: expected .*0\.\.255.*255/);
});

test.serial('a pin that cannot do what it should says what it can', async (t) => {
  await t.throwsAsync(boardRig(t, 'firmata', driver, { pins: { a: { pin: 13, mode: 'pwm' } } }), {
    message: /^pin 13 cannot be pwm; the board says it can be input, output/,
  });
});

test.serial('values are told on schedule where that is wanted, and only then', async (t) => {
  const rig = await boardRig(t, 'firmata', driver, {
    pins: { volts: { pin: 'A0', mode: 'analog' } },
    every_ms: 100,
    on_change: false,
  });
  rig.board.setAnalog(0, 3);
  const since = performance.now();
  await rig.board.until(() => rig.readings.length >= 5, SOON_MS, 'five readings');
  t.true(performance.now() - since > 300);
  t.true((rig.readings.at(-1)?.volts as number) > 600);
});

test('a board that has fallen silent is asked, and given up when it does not answer', async (t) => {
  const { host, line } = pairedHost();
  host.wire.resume();
  let asked = 0;
  let answers = true;
  line.onData((bytes) => {
    t.deepEqual([...bytes], [0xf9]);
    asked += 1;
    if (answers) line.send(Buffer.of(0xf9, 2, 4));
  });
  const stop = watchBoard(host.wire, 20);
  t.teardown(stop);
  await eventually(() => asked > 8, 'a few questions');
  t.false(host.wire.destroyed, 'it answers');
  answers = false;
  host.wire.on('error', () => {});
  await eventually(() => host.wire.destroyed, 'the end of the wire');
  t.is(host.wire.errored?.message, 'the board has not answered for 0.06 s');
});
