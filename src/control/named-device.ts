// The device that a request is about: its name in the request, and what is said where there is none of that name.

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
