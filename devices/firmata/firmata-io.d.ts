// What of the package firmata-io is used here; it comes without types.

declare module 'firmata-io' {
  import type { EventEmitter } from 'node:events';

  interface FirmataPin {
    readonly supportedModes: readonly number[];
    mode: number | undefined;
    value: number;
    /** 127: none. */
    readonly analogChannel: number;
  }

  interface FirmataSettings {
    readonly samplingInterval?: number;
  }

  class Firmata extends EventEmitter {
    constructor(transport: EventEmitter, settings: FirmataSettings);
    readonly MODES: Readonly<Record<string, number>>;
    readonly RESOLUTION: { readonly ADC: number | null; readonly PWM: number | null };
    readonly pins: FirmataPin[];
    readonly analogPins: number[];
    readonly version: { readonly major?: number; readonly minor?: number };
    readonly firmware: {
      readonly name?: string;
      readonly version?: { readonly major: number; readonly minor: number };
    };
    readonly reportVersionTimeoutId: NodeJS.Timeout;
    readonly isReady: boolean;
    name: string;
    /** Bytes of a message that is not whole yet. */
    buffer: number[];
    pinMode(pin: number, mode: number): void;
    digitalWrite(pin: number, value: 0 | 1): void;
    digitalRead(pin: number, callback: (value: number) => void): void;
    /** `channel`: 0 for A0. */
    analogRead(channel: number, callback: (value: number) => void): void;
    pwmWrite(pin: number, value: number): void;
    servoConfig(pin: number, minPulse: number, maxPulse: number): void;
    servoWrite(pin: number, degrees: number): void;
  }

  const binding: { readonly Firmata: typeof Firmata };
  export default binding;
  export type { Firmata, FirmataPin };
}
