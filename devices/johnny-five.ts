// A board with Firmata (an Arduino with the sketch StandardFirmata), driven by johnny-five: the components of its options become
// channels. All values are one reading, on change and, with `every_ms`, on schedule.
//
//   set/<component>   on | off | toggle | 90 | {"blink": 500} | {"to": 90, "time": 500} | ...    what it accepts depends on the type
//   set               {"led": "on", "arm": {"to": 90}}                                           several at once
//   get               a reading of all, now

import { defineDriver, type Session, type SessionHost, z } from 'ferrule/driver';
import { named } from './firmata/named.js';
import { reportOptions } from './firmata/report-options.js';
import { componentSchema, pinsOf } from './johnny-five/component-options.js';

const options = z.strictObject({
  /** What is on the board: name -> component. The names are the channels. */
  components: named('component', componentSchema, pinsOf),
  ...reportOptions,
});

export default defineDriver({
  kind: 'session',
  summary: 'Arduino and others with Firmata, by johnny-five: LEDs, relays, servos, sensors, I2C',
  options,
  defaults: { baud_rate: 57600 },
  open,
});

/** The libraries are loaded here, in the device's Worker, and johnny-five while the board starts. */
async function open(host: SessionHost, given: z.output<typeof options>): Promise<Session> {
  const { openBoard } = await import('./firmata/board.js');
  const { sampling_ms: samplingMs, answer_within_ms: answerWithinMs } = given;
  const [board, { openFive }] = await Promise.all([
    openBoard(host, { samplingMs, answerWithinMs }),
    import('./johnny-five/open-five.js'),
  ]);
  return openFive(host, board, given);
}
