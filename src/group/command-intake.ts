// Where commands come into a device: into the lane of the send thread while it is online; else they are refused, or held until it
// is back (`commands.when_offline`). Each gets its first answer here, and those that never reach the lane their last one.
//
//   deliver -> online  -> [down] -> send thread          link lost: what waits comes back here, and is refused or held
//           -> offline -> [held] -> online: release -> [down]

import type { RouteResult } from '../core/thread-registry.js';
import type { Command } from '../device/message.js';
import { answer } from './answer.js';
import { type DeviceContext, MAX_COMMAND_BYTES, MAX_COMMANDS } from './device-context.js';
import { HeldCommands, MAX_HELD } from './held-commands.js';

const LOST = 'not sent: the link was lost while the command waited';
const CLOSED = 'not sent: the device is being closed';

type Context = Pick<DeviceContext, 'address' | 'relay' | 'log' | 'clock' | 'settings' | 'isReady' | 'down'>;

export interface CommandIntakeOptions {
  /** How the device is and why, for those who are refused. */
  readonly state: () => string;
  /** False where nothing comes back: an accepted connection. */
  readonly mayHold: boolean;
}

export class CommandIntake {
  readonly #ctx: Context;
  readonly #options: CommandIntakeOptions;
  readonly #held: HeldCommands | undefined;

  constructor(ctx: Context, options: CommandIntakeOptions) {
    this.#ctx = ctx;
    this.#options = options;
    const { when_offline, max_hold } = ctx.settings.commands;
    if (options.mayHold && when_offline === 'hold') this.#held = this.#makeHeld(max_hold);
  }

  /** Takes a command. Refused ones are answered at once with the reason. */
  deliver(command: Command): Exclude<RouteResult, 'no-such-group'> {
    const { isReady, down } = this.#ctx;
    const isBehindOthers = this.#held !== undefined && this.#held.length > 0; // the device is there, they are about to leave
    if (!isReady || isBehindOthers) return this.#deliverOffline(command);
    const isFull = down.length > 0 && down.weight + command.payload.length > MAX_COMMAND_BYTES;
    const result = isFull || down.length >= MAX_COMMANDS ? 'rejected' : down.put(command);
    if (result === 'closed') {
      this.#refuse(command, CLOSED);
      return 'closed';
    }
    if (result === 'rejected') {
      const most = `${MAX_COMMANDS} commands, or ${MAX_COMMAND_BYTES / 1024 ** 2} MiB of them,`;
      const why = `${most} wait for this device already: send slower, or wait for their responses`;
      this.#refuse(command, why);
      return 'full';
    }
    answer(this.#ctx, command, 'accepted');
    return 'queued';
  }

  /** The device is there: what was held goes into the lane, in order. */
  release(): void {
    for (const command of this.#held?.release() ?? []) {
      if (this.#ctx.down.put(command) !== 'queued') this.#refuse(command, CLOSED);
    }
  }

  /** Commands that waited in the lane when the link ended. A device that does not hold must not get them much later. */
  takeBack(commands: readonly Command[]): void {
    const refused = this.#held?.takeBack(commands) ?? commands;
    for (const command of refused) this.#refuse(command, LOST);
  }

  /** The device closes: nobody comes back for what is held. */
  close(): void {
    for (const command of this.#held?.close() ?? []) this.#refuse(command, CLOSED);
  }

  #makeHeld(maxHoldMs: number): HeldCommands {
    const { clock } = this.#ctx;
    const why = {
      'max-hold': `not sent: the device did not come back in time (max_hold is ${maxHoldMs} ms)`,
      own: 'not sent: its own time was over before the device came back',
    };
    return new HeldCommands({
      clock,
      maxHoldMs,
      onExpired: (command, whose) => answer(this.#ctx, command, 'expired', why[whose]),
    });
  }

  #deliverOffline(command: Command): 'queued' | 'full' {
    const result = this.#held?.hold(command);
    if (result === 'held') {
      answer(this.#ctx, command, 'accepted', undefined, { held: true });
      return 'queued';
    }
    if (result === 'full') {
      this.#refuse(
        command,
        `the device is offline and too many commands are held for it already (${MAX_HELD}, or 1 MiB)`,
      );
      return 'full';
    }
    this.#refuse(command, `the device is offline: ${this.#options.state()}`);
    return 'queued';
  }

  #refuse(command: Command, why: string): void {
    answer(this.#ctx, command, 'error', why);
  }
}
