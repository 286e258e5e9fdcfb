import test from 'ava';
import { type BridgeControls, bridgeApi, noProcess } from '../../src/control/bridge-api.js';
import { RequestError } from '../../src/control/requests.js';

/** Controls of a gateway whose groups are all gone, with devices in these states. */
function controlsOf(states: Readonly<Record<string, string>>): BridgeControls {
  return {
    ...noProcess,
    health: () => t0(),
    devices: () => Object.entries(states).map(([name, state]) => ({ name, state })),
    threads: () => [],
    restartDevice: () => false,
    tapDevice: async () => ({ ok: false, why: 'no-such-device' }),
  };
}

function t0(): never {
  throw new Error('nobody asks');
}

const CONTROLS = controlsOf({ scale: 'closed', spare: 'disabled' });

for (const path of ['device/restart', 'device/tap']) {
  for (const [id, words] of [
    ['scale', 'scale is just being changed: send it again'],
    ['spare', 'spare is disabled: send device/enable first'],
    ['scael', 'no device "scael"; there are scale, spare'],
  ] as const) {
    test(`${path} of ${id}, which has no group: ${words}`, async (t) => {
      const ask = async (): Promise<unknown> => bridgeApi(CONTROLS)[path]?.({ id });
      await t.throwsAsync(ask, { instanceOf: RequestError, message: words });
    });
  }
}
