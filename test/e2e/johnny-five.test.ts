// The whole way: MQTT, the real gateway, johnny-five in its Worker, a serial port, the real StandardFirmata on a simulated chip, its
// pins. And back.

import path from 'node:path';
import type { ExecutionContext } from 'ava';
import { systemClock } from '../../src/core/clock.js';
import type { AvrBoard } from '../../src/hil/avr/avr-board.js';
import { standardFirmataHex } from '../../src/hil/avr/firmware.js';
import { SHT31_ADDRESS, Sht31 } from '../../src/hil/avr/sht31.js';
import { startAvrBoard } from '../../src/hil/avr/start-avr-board.js';
import { openPtyLine } from '../../src/hil/virtual-pty-line.js';
import { brokerFor, brokerTest, gatewayFor, subscriberFor } from '../support/e2e-test.js';
import { eventually } from '../support/eventually.js';
import { folderFor } from '../support/ferrule-command.js';
import type { Subscriber } from '../support/subscriber.js';

/** On a loaded machine the chip runs slower than real time. */
const SOON_MS = 20_000;

const BASE = 'ferrule/e2e';
const UP_MS = 30_000;
const LED = 13;

interface Rig {
  readonly board: AvrBoard;
  readonly subscriber: Subscriber;
  /** Sends a command and waits for its answer, `ok` or `error`. */
  ask(topic: string, payload: unknown): Promise<Record<string, unknown>>;
  /** The last reading. */
  reading(): Record<string, unknown>;
  /** Waits until a reading says that of a channel. */
  reads(channel: string, fits: (value: unknown) => boolean): Promise<void>;
}

async function boardRig(t: ExecutionContext, device: object): Promise<Rig> {
  const broker = await brokerFor(t);
  // By a name of its own: whatever else opens a pty may get the number of one that is unplugged.
  const line = await openPtyLine({ clock: systemClock, symlink: path.join(folderFor(t), 'uno') });
  const board = await startAvrBoard({ line, hex: standardFirmataHex() ?? '', clock: systemClock });
  t.teardown(() => board.close());
  const gateway = gatewayFor(t, {
    config: {
      gateway: { id: 'e2e' },
      mqtt: { url: `mqtt://127.0.0.1:${broker.port}` },
      devices: { uno: { link: board.link, ...device } },
    },
  });
  const subscriber = await subscriberFor(t, { port: broker.port });
  const since = performance.now();
  try {
    await subscriber.says(`${BASE}/uno/availability`, { state: 'online' }, UP_MS);
  } catch (error) {
    t.log(gateway.stderr, ...gateway.log.map((line) => JSON.stringify(line)));
    throw error;
  }
  t.log(`online ${Math.round(performance.now() - since)} ms after the gateway was started`);
  return rigOf(board, subscriber);
}

function rigOf(board: AvrBoard, subscriber: Subscriber): Rig {
  let asked = 0;
  const reading = (): Record<string, unknown> => (subscriber.last(`${BASE}/uno`) ?? {}) as Record<string, unknown>;
  return {
    board,
    subscriber,
    reading,
    async ask(topic, value) {
      asked += 1;
      const transaction = `q${asked}`;
      const payload = JSON.stringify({ transaction, value });
      await subscriber.client.publishAsync(`${BASE}/uno/${topic}`, payload, { qos: 1 });
      let answer: Record<string, unknown> | undefined;
      await eventually(() => {
        const answers = subscriber.texts(`${BASE}/uno/response`).map((text) => JSON.parse(text));
        answer = answers.find((one) => one.transaction === transaction && /^(ok|error|expired)$/.test(one.status));
        return answer !== undefined;
      }, `an answer to ${topic} ${payload}`);
      return answer ?? {};
    },
    reads: (channel, fits) => eventually(() => fits(reading()[channel]), `${channel} in ${BASE}/uno`),
  };
}

const COMPONENTS = {
  led: { type: 'led', pin: LED },
  lamp: { type: 'led', pin: 6 }, // a servo takes the timer of 9 and 10, on a real Uno too
  pot: { type: 'potentiometer', pin: 'A0', threshold: 4 },
  button: { type: 'button', pin: 2, pullup: true },
  air: { type: 'multi', controller: 'SHT31D', sample_ms: 200 },
  arm: { type: 'servo', pin: 10 },
};

brokerTest(
  'johnny-five: LED, analog input, button, servo and an I2C sensor of a real firmware, over MQTT',
  async (t) => {
    const rig = await boardRig(t, {
      driver: 'johnny-five',
      options: { components: COMPONENTS, answer_within_ms: 25_000 },
    });
    const { board, subscriber, ask, reads } = rig;
    board.attachTwi(SHT31_ADDRESS, new Sht31({ celsius: 21.5, percent: 40 }));

    t.like(await ask('set/led', { state: 'on' }), { status: 'ok' });
    await board.untilDigital(LED, 'high', SOON_MS);
    t.is(board.port('B') & 0b10_0000, 0b10_0000);
    await reads('led', (value) => value === true);
    t.like(await ask('set', { led: 'off', lamp: { brightness: 128 }, arm: 45 }), { status: 'ok' });
    await board.untilDigital(LED, 'low', SOON_MS);
    await board.until(() => Math.abs(board.pwm(6) - 0.5) < 0.02, SOON_MS, 'half brightness on pin 6');
    await reads('arm', (value) => value === 45);

    board.setAnalog(0, 2.5);
    const since = performance.now();
    await reads('pot', (value) => typeof value === 'number' && Math.abs(value - 512) < 8);
    t.log(`A0 on MQTT after ${Math.round(performance.now() - since)} ms`);

    board.setDigital(2, 'low');
    await reads('button', (value) => value === true);
    board.setDigital(2, 'open');
    await reads('button', (value) => value === false);
    await reads('air', (value) => JSON.stringify(value) === '{"humidity":40,"temperature":21.5}');

    t.like(await ask('set/led', { brightness: 10 }), { status: 'error' });
    t.regex(String((await ask('set/arm', 'up')).error), /arm: .*"to": degrees/);
    t.regex(String((await ask('set/pot', 1)).error), /pot is an input/);
    t.regex(String((await ask('set/nothing', 1)).error), /it takes: set\/led, set\/lamp, set\/arm/);
    const { data } = (await ask('get', '')) as { data: Record<string, unknown> };
    t.deepEqual(Object.keys(data), Object.keys(COMPONENTS));
    await eventually(
      () => JSON.stringify(subscriber.last(`${BASE}/bridge/devices`)).includes('StandardFirmata'),
      'details',
    );
  },
);

brokerTest('johnny-five: unplug is offline, replug is a fresh session that takes commands', async (t) => {
  const rig = await boardRig(t, {
    driver: 'johnny-five',
    options: { components: { led: COMPONENTS.led, pot: COMPONENTS.pot }, answer_within_ms: 25_000 },
    reconnect: { first: '50ms', max: '500ms' },
  });
  const { board, subscriber, ask } = rig;
  for (let round = 0; round < 2; round++) {
    t.like(await ask('set/led', 'on'), { status: 'ok' });
    await board.untilDigital(LED, 'high', SOON_MS);
    let since = performance.now();
    await board.powerOff();
    await subscriber.says(`${BASE}/uno/availability`, { state: 'offline' });
    t.log(`offline ${Math.round(performance.now() - since)} ms after the unplug`);
    since = performance.now();
    await board.powerOn();
    await subscriber.says(`${BASE}/uno/availability`, { state: 'online' }, UP_MS);
    t.log(`online ${Math.round(performance.now() - since)} ms after the replug`);
    t.is(board.digital(LED), 'low', 'nothing is switched on again by itself');
  }
});
