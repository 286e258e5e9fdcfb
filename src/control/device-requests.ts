// Requests that change which devices there are: `device/add`, `remove`, `enable`, `disable`. What may be changed is decided by
// whoever implements `DeviceControls`; here is only what a request looks like.
//
//   device/add {"id": "cell", "config": {"driver": "lines", "link": "tcp://10.0.0.5:4001"}}
//              {"id": "cell", "driver": "lines", "link": "tcp://10.0.0.5:4001"}               the same

import { nameIn, unknownDevice } from './named-device.js';
import { type RequestBody, RequestError, type RequestHandler } from './requests.js';

/** Changes of the devices that outlive a restart. All reject with a RequestError for what the sender can mend. */
export interface DeviceControls {
  /** `device`: as in the config file, unchecked. */
  addDevice(name: string, device: Readonly<Record<string, unknown>>): Promise<void>;
  /** False if there is no device of that name. */
  removeDevice(name: string): Promise<boolean>;
  /** False if there is no device of that name. */
  enableDevice(name: string, wanted: boolean): Promise<boolean>;
}

/** The rows of the table. `names`: of all devices. */
export function deviceRequests(
  controls: DeviceControls,
  names: () => readonly string[],
): Readonly<Record<string, RequestHandler>> {
  const enable = async (body: RequestBody, wanted: boolean): Promise<unknown> => {
    const id = nameIn(body);
    if (!(await controls.enableDevice(id, wanted))) throw unknownDevice(id, names());
    return { id, enabled: wanted };
  };
  return {
    'device/add': async (body) => {
      const id = nameIn(body);
      await controls.addDevice(id, deviceIn(body));
      return { id };
    },
    'device/remove': async (body) => {
      const id = nameIn(body);
      if (!(await controls.removeDevice(id))) throw unknownDevice(id, names());
      return { id };
    },
    'device/enable': (body) => enable(body, true),
    'device/disable': (body) => enable(body, false),
  };
}

/** The device's config: in `config`, or flat beside its name. */
function deviceIn({ id: _id, name: _name, config, ...flat }: RequestBody): Readonly<Record<string, unknown>> {
  if (config === undefined) return flat;
  if (typeof config !== 'object' || config === null || Array.isArray(config)) {
    throw new RequestError('"config": expected an object with "driver" and "link"');
  }
  const beside = Object.keys(flat)[0];
  if (beside === undefined) return { ...config };
  throw new RequestError(`unknown key ${JSON.stringify(beside.slice(0, 100))} beside "config": put it inside`);
}
