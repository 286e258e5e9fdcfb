// A driver whose device answers commands: `ACK <anything>` is yes, `NAK <why>` is no, `ACK! <n>` is yes and a reading as well; every
// other line is a reading.

import { type Confirmation, defineDriver, type FramedDriver, z } from '../../src/device/driver.js';

export const answeringDriver: FramedDriver = defineDriver({
  kind: 'framed',
  summary: 'lines that answer',
  options: z.unknown(),
  create: () => ({
    decode: (frame) => ({ text: refuseBad(frame.toString()) }),
    encode: ({ payload }) => Buffer.from(refuseBad(payload.toString())),
    confirm: (frame) => confirmation(refuseBad(frame.toString())),
  }),
});

function confirmation(text: string): Confirmation | undefined {
  const [word, ...rest] = text.split(' ');
  if (word === 'ACK') return { ok: true, data: { said: rest.join(' ') } };
  if (word === 'ACK!') return { ok: true, isReading: true };
  return word === 'NAK' ? { ok: false, reason: rest.join(' ') } : undefined;
}

/** Lines and commands that begin with `bad` are what the driver crashes on. */
function refuseBad(text: string): string {
  if (text.startsWith('bad')) throw new Error('a bad one');
  return text;
}
