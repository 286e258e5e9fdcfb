// `ferrule/hil`: test your devices, drivers and configs against a real gateway, without hardware. For any test runner.
//
//   const bench = await rig({ config: { devices: { scale: { driver: 'lines' } } } });
//   const scale = await bench.serial('scale');
//   scale.send('+0012.34 kg\n');
//   await bench.expect('scale', '+0012.34 kg');
//   await bench.stop();

import type { Rig } from './rig.js';
import { type RigOptions, startRig } from './rig-start.js';

/**
 * Starts a gateway process with a broker and a data folder of its own, and resolves when it is online. Rejects with a RigError
 * that shows the gateway's log if it does not come up; nothing is left behind then. End it with `stop`, or hold it with
 * `await using`.
 */
export function rig(options: RigOptions): Promise<Rig> {
  return startRig(options);
}

/** For the makers of scripts: `scale.play(makeScale({ clock: systemClock }))`. */
export { type Clock, systemClock } from '../core/clock.js';
export type { AvrStats, Level, PinMode, PortName } from './avr/avr-board.js';
export { standardFirmataHex } from './avr/firmware.js';
export type { TwiDevice } from './avr/twi-device.js';
export {
  type DecodedJunk,
  type DecodedRecording,
  type DecodeRecordingOptions,
  decodeRecording,
} from './decode-recording.js';
export type { FloodOptions } from './fault-line.js';
export type { AttachOptions, DeviceState, Rig } from './rig.js';
export type { BoardChip, Firmware, RigBoard } from './rig-board.js';
export type { Payload, PublishOptions } from './rig-client.js';
export type { Reply, ReplyOptions, ReplyScript, RigDevice } from './rig-device.js';
export { RigError } from './rig-error.js';
export type { RigEnd, RigLogLine } from './rig-gateway.js';
export type { BytePattern } from './rig-heard.js';
export type { Matcher } from './rig-matcher.js';
export type { RigMessage } from './rig-message.js';
export type { RigOptions } from './rig-start.js';
export type { VirtualScript } from './virtual-device.js';
export { makeGnss } from './virtual-gnss.js';
export { makeScale } from './virtual-scale.js';
export { makeThermometer } from './virtual-thermometer.js';
