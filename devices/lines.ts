// Text lines as they are, in both directions: scales, barcode scanners, data loggers, consoles.
// There is no `decode`: a line's bytes are published without being copied or read, in whatever encoding the device uses.
// The payload of `set` is sent as one line; the framer adds the delimiter. A payload that contains the delimiter is sent as
// it is and arrives as several lines: the driver does not know the delimiter, and some devices take several lines at once.

import { type DriverCommand, defineDriver, type Encoded, reject, z } from 'ferrule/driver';

export default defineDriver({
  kind: 'framed',
  summary: 'Text lines as they are, up and down',
  options: z.strictObject({}),
  defaults: { framing: { type: 'line', delimiter: '\n' } },
  create: () => ({ encode }),
});

function encode(command: DriverCommand): Encoded {
  if (command.verb === 'get') return reject('the lines driver has nothing to ask for; it takes: set');
  if (command.channel !== undefined) {
    return reject(`the lines driver has no channel "${command.channel}"; it takes: set`);
  }
  return command.payload;
}
