// One device of `ferrule sim`: made from its part of the file, on its line.

import { resolve } from 'node:path';
import { type Clock, sleep } from '../core/clock.js';
import { FerruleError, messageOf } from '../core/errors.js';
import { standardFirmataHex } from './avr/firmware.js';
import { startAvrBoard } from './avr/start-avr-board.js';
import { openRecording, type Recording } from './recording-reader.js';
import { replay } from './replay.js';
import type { SimDeviceConfig } from './sim-schema.js';
import { VirtualDevice, type VirtualScript } from './virtual-device.js';
import { makeGnss } from './virtual-gnss.js';
import { makeHygrometer } from './virtual-hygrometer.js';
import type { VirtualLine } from './virtual-line.js';
import { VirtualModbus } from './virtual-modbus.js';
import { makeScale } from './virtual-scale.js';
import { makeText } from './virtual-text.js';
import { makeThermometer } from './virtual-thermometer.js';

/** A device that runs. */
export interface SimDevice {
  /** The string form of the link that reaches it, for a config. */
  readonly link: string;
  unplug(): Promise<void>;
  plug(): Promise<void>;
  /** Switches it off and closes its line. Idempotent. */
  close(): Promise<void>;
}

export interface SimDeviceOptions {
  readonly config: SimDeviceConfig;
  readonly line: VirtualLine;
  /** With a `random` of the device's own. */
  readonly clock: Clock;
  /** What relative paths mean. */
  readonly dir: string;
  /** Told in a sentence of trouble that ends the device, later. */
  readonly say: (line: string) => void;
}

/** Time before a recording begins anew, ms. */
const LOOP_PAUSE_MS = 500;

/** Starts a device; it owns the line then. Rejects where a file of it cannot be read. */
export async function startSimDevice(options: SimDeviceOptions): Promise<SimDevice> {
  const { config, line, clock, dir } = options;
  switch (config.type) {
    case 'modbus-rtu':
    case 'modbus-tcp':
      return plain(line, startModbus(config, line, clock));
    case 'avr': {
      const board = await startAvrBoard({ line, clock, hex: hexFile(config.hex, dir) });
      return {
        link: line.link,
        unplug: () => board.powerOff(),
        plug: () => board.powerOn(),
        close: () => board.close(),
      };
    }
    case 'replay':
      return startReplay(config, await openRecording(resolve(dir, config.file)), options);
    default:
      return plain(line, VirtualDevice.start({ line, clock, script: scriptOf(config, clock) }));
  }
}

function plain(line: VirtualLine, device: { close(): Promise<void> }): SimDevice {
  return {
    link: line.link,
    unplug: () => line.unplug(),
    plug: () => line.plug(),
    close: () => device.close(),
  };
}

function hexFile(hex: string, dir: string): string {
  if (hex !== 'standard-firmata') return resolve(dir, hex);
  const file = standardFirmataHex();
  if (file !== undefined) return file;
  throw new FerruleError(
    'no-firmware',
    'hex: standard-firmata is in the package avrgirl-arduino: npm install avrgirl-arduino',
  );
}

type ModbusConfig = Extract<SimDeviceConfig, { type: 'modbus-rtu' | 'modbus-tcp' }>;

function startModbus(config: ModbusConfig, line: VirtualLine, clock: Clock): VirtualModbus {
  return VirtualModbus.start({
    line,
    clock,
    coding: config.type === 'modbus-rtu' ? 'rtu' : 'tcp',
    unit: config.unit,
    registers: { holding: config.registers, input: config.input_registers },
    delayMs: config.answer_after,
  });
}

type ScriptConfig = Exclude<SimDeviceConfig, ModbusConfig | { type: 'avr' | 'replay' }>;

function scriptOf(config: ScriptConfig, clock: Clock): VirtualScript {
  switch (config.type) {
    case 'gnss':
      return makeGnss({ ...config, clock });
    case 'scale':
      return makeScale({ clock, everyMs: config.every });
    case 'thermometer':
      return makeThermometer({ clock, around: config.around, noise: config.noise, everyMs: config.every });
    case 'hygrometer':
      return makeHygrometer({ clock, everyMs: config.every });
    case 'script': {
      const { every, lines, answers, line_end } = config;
      return makeText({ everyMs: every, lines, answers, lineEnd: line_end });
    }
  }
}

type ReplayConfig = Extract<SimDeviceConfig, { type: 'replay' }>;

function startReplay(config: ReplayConfig, recording: Recording, { line, clock, say }: SimDeviceOptions): SimDevice {
  const stop = new AbortController();
  const { signal } = stop;
  const run = async (): Promise<void> => {
    for (;;) {
      const { isUnplugged } = await replay({ recording, line, clock, speed: config.speed, signal });
      await sleep(clock, LOOP_PAUSE_MS, signal);
      if (!config.loop || signal.aborted) return;
      if (isUnplugged) await line.plug();
    }
  };
  const done = run().catch((error: unknown) => say(messageOf(error)));
  const close = async (): Promise<void> => {
    stop.abort();
    await done;
    await line.close();
  };
  return plain(line, { close });
}
