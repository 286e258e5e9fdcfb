// What of johnny-five is used here; it comes without types.

declare module 'johnny-five' {
  import { EventEmitter } from 'node:events';

  type Options = Readonly<Record<string, unknown>>;

  class Board extends EventEmitter {
    constructor(options: Options);
    readonly pins: { isPwm(pin: number): boolean };
  }
  class Component extends EventEmitter {
    constructor(options: Options);
    readonly pin: number;
  }
  class Led extends Component {
    readonly isOn: boolean;
    on(): this;
    off(): this;
    toggle(): this;
    stop(): this;
    blink(ms: number): this;
    pulse(ms: number): this;
    brightness(value: number): this;
    fade(value: number, ms: number): this;
    static readonly RGB: typeof Rgb;
  }
  class Rgb {
    constructor(options: Options);
    readonly isOn: boolean;
    on(): this;
    off(): this;
    toggle(): this;
    stop(): this;
    blink(ms: number): this;
    color(): { readonly red: number; readonly green: number; readonly blue: number };
    color(color: string): this;
    intensity(percent: number): this;
  }
  class Relay extends Component {
    readonly isClosed: boolean;
    open(): this;
    close(): this;
  }
  class Servo extends Component {
    readonly position: number;
    to(degrees: number, ms?: number): this;
    min(): this;
    max(): this;
    center(): this;
    stop(): this;
    cw(rate: number): this;
    ccw(rate: number): this;
  }
  class Motor extends Component {
    forward(speed: number): this;
    reverse(speed: number): this;
    stop(): this;
    brake(): this;
  }
  class Piezo extends Component {
    frequency(hertz: number, ms: number): this;
    off(): this;
  }
  class Sensor extends Component {
    readonly value: number | null;
    scale(low: number, high: number): this;
  }
  class Multi extends EventEmitter {
    constructor(options: Options);
    readonly components: readonly string[];
  }

  const five: {
    readonly Board: typeof Board;
    readonly Led: typeof Led;
    readonly Relay: typeof Relay;
    readonly Button: typeof Component;
    readonly Switch: typeof Component;
    readonly Sensor: typeof Sensor;
    readonly Thermometer: typeof Component;
    readonly Servo: typeof Servo;
    readonly Motor: typeof Motor;
    readonly Motion: typeof Component;
    readonly Proximity: typeof Component;
    readonly Piezo: typeof Piezo;
    readonly Joystick: typeof Component;
    readonly Hygrometer: typeof Component;
    readonly Multi: typeof Multi;
  };
  export default five;
  export type { Board, Component, Led, Motor, Multi, Piezo, Relay, Rgb, Sensor, Servo };
}
