// A device of a rig that is made to suffer one fault after another: what the gateway shows of it meanwhile, and whether what it
// said came through. Talks all the time, so that silence shows.

import type { Rig, RigDevice, RigMessage } from '../../src/hil/hil.js';
import { eventually } from './eventually.js';

/** What can be seen of a device from outside. */
export interface Sight {
  /** In `bridge/devices`. */
  readonly state: string;
  readonly availability: string;
  /** What became of something that it said. */
  readonly reading: Came;
  /** More of the counter `reconnects`, once all is well again. */
  readonly reconnects: number;
}

export type Came = 'came' | 'came late' | 'came garbled' | 'lost';

/** How a kind of device talks. */
export interface Voice {
  /** Has it talk all the time from now on, and say something once; answers the bytes that must come, on `topic`. */
  say(): Promise<Buffer>;
  /** What is left of its readings without what it says when it is well. */
  strange(readings: string): string;
}

/** One fault, and how to look at it. */
export interface Suffering {
  readonly inflict: () => unknown;
  readonly takeBack: () => unknown;
  readonly state: string;
  readonly patienceMs?: number | undefined;
}

const PATIENCE_MS = 1600;
/** What comes later than this is late. Far from what is at once, and from never, on a machine that others use too. */
export const LATE_MS = 900;

export class FaultSubject {
  readonly #bench: Rig;
  readonly #name: string;
  readonly #voice: Voice;
  #came = Buffer.alloc(0);
  #availability = 'online';

  /** For a device that is online. */
  constructor(bench: Rig, name: string, voice: Voice) {
    this.#bench = bench;
    this.#name = name;
    this.#voice = voice;
    bench.onMessage((message) => this.#onMessage(message));
  }

  /**
   * Inflicts something, looks once the gateway shows `state` (or does not come to it), takes it back, and waits until all is
   * well. `patienceMs`: how long what it says meanwhile may take.
   */
  async suffer({ inflict, takeBack, state, patienceMs }: Suffering): Promise<Sight> {
    await this.untilWell();
    const before = await this.#reconnects();
    await inflict();
    const shown = await this.#untilState(state);
    const availability = this.#availability;
    const reading = await this.sayOnce(patienceMs);
    await takeBack();
    await this.untilWell();
    return { state: shown, availability, reading, reconnects: (await this.#reconnects()) - before };
  }

  /** Says something and tells what became of it within `withinMs`; with more patience than usual nothing is late. */
  async sayOnce(withinMs: number = PATIENCE_MS): Promise<Came> {
    this.#came = Buffer.alloc(0);
    const saidAt = performance.now();
    const wanted = await this.#voice.say();
    const hasCome = (): boolean => this.#came.includes(wanted);
    await eventually(hasCome, 'the reading', withinMs).catch(() => {});
    const isLate = withinMs === PATIENCE_MS && performance.now() - saidAt >= LATE_MS;
    if (hasCome()) return isLate ? 'came late' : 'came';
    return this.#voice.strange(this.#came.toString('latin1')) === '' ? 'lost' : 'came garbled';
  }

  /** Says something until it comes in time: a flood drains, a board boots. */
  untilWell(): Promise<void> {
    return eventually(async () => (await this.sayOnce()) === 'came', `${this.#name} to be well`, 30_000);
  }

  async #untilState(wanted: string): Promise<string> {
    let state = '';
    const look = async (): Promise<boolean> => {
      state = (await this.#bench.state(this.#name)).state;
      return state === wanted;
    };
    await eventually(look, wanted).catch(() => {}); // the table then shows which state it was
    return state;
  }

  async #reconnects(): Promise<number> {
    return Number((await this.#bench.state(this.#name)).counters.reconnects);
  }

  #onMessage({ topic, payload, text }: RigMessage): void {
    if (topic === this.#name) this.#came = Buffer.concat([this.#came, payload]).subarray(-64 * 1024);
    if (topic === `${this.#name}/availability`) this.#availability = JSON.parse(text).state;
  }
}

/** Lines of text, all the time, on the driver `lines`. */
export function lineVoice(device: RigDevice): Voice {
  let said = 0;
  device.play({ everyMs: 50, next: () => 'tick\n' });
  return {
    say: async () => {
      const text = `this is what it said the ${said++}th time, long enough for noise to find it`;
      device.send(`${text}\n`);
      return Buffer.from(text);
    },
    strange: (readings) => readings.replaceAll('tick', ''),
  };
}

const REPORT_A0 = [0xc0, 0x01];
const ASK_VERSION = [0xf9];
/** Protocol 2.4: what the firmware of avrgirl-arduino speaks. */
const VERSION = Buffer.from([0xf9, 0x02, 0x04]);

/** StandardFirmata on the driver `raw`: reports A0 every 19 ms, and its version when asked. */
export function firmataVoice(bench: Rig, board: RigDevice): Voice {
  return {
    say: async () => {
      await bench.publish(`${board.name}/write`, Buffer.from([...REPORT_A0, ...ASK_VERSION]));
      return VERSION;
    },
    strange: (readings) => readings.replaceAll(/\xe0..|\xf9../gs, ''),
  };
}
