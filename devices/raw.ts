// Frames as they are, in both directions: the driver for bytes that Ferrule need not understand.
// Without `framing` every chunk that the system hands over is one reading; set a framing to get whole frames.

import { type DriverCommand, defineDriver, type Encoded, reject, z } from 'ferrule/driver';

export default defineDriver({
  kind: 'framed',
  summary: 'Bytes as they are, up and down; any framing',
  options: z.strictObject({}),
  defaults: { framing: { type: 'raw' } },
  create: () => ({ encode }),
});

function encode(command: DriverCommand): Encoded {
  if (command.verb === 'get') return reject('the raw driver has nothing to ask for; it takes: set');
  if (command.channel !== undefined) return reject(`the raw driver has no channel "${command.channel}"; it takes: set`);
  return command.payload;
}
