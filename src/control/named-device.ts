// The device that a request is about: its name in the request, whose that name is, and what is said where there is none of it.

import { type RequestBody, RequestError } from './requests.js';

/** Names that an answer lists. */
const LISTED_NAMES = 20;

/** The name in `id` (or `name`, as zigbee2mqtt also takes). */
export function nameIn(body: RequestBody): string {
  const name = body.id ?? body.name;
  if (typeof name === 'string' && name !== '') return name;
  throw new RequestError('"id" is missing: the name of the device, as in the config');
}

/** `known`: the names of all devices. */
export function unknownDevice(name: string, known: readonly string[]): RequestError {
  const more = known.length > LISTED_NAMES ? ` and ${known.length - LISTED_NAMES} more` : '';
  const listed = `${known.slice(0, LISTED_NAMES).join(', ') || 'none'}${more}`;
  return new RequestError(`no device "${name.slice(0, 200)}"; there are ${listed}`);
}

/** What of a device decides on whose a name is. */
export interface NamedDevice {
  readonly name: string;
  /** Each of its connections is called `<name>/<peer>`. */
  readonly isListener: boolean;
}

/** The device of that name, or the listener that such a connection belongs to. `press/scale` may stand beside `press`. */
export function ownerOf<Device>(
  devices: readonly Device[],
  id: string,
  look: (device: Device) => NamedDevice,
): Device | undefined {
  const own = devices.find((device) => look(device).name === id);
  const isOurs = ({ name, isListener }: NamedDevice): boolean => isListener && id.startsWith(`${name}/`);
  return own ?? devices.find((device) => isOurs(look(device)));
}
