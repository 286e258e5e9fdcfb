// Commands on their way down: what the uplink has received is read, refused or routed to its device's group. Every command
// has an answer, also the one that nobody can take.

import type { Clock } from '../core/clock.js';
import type { Log } from '../core/log.js';
import type { ThreadRegistry } from '../core/thread-registry.js';
import type { DownMessage, Relay, ReplyTo } from '../device/message.js';
import type { IncomingMessage } from '../uplink/incoming-message.js';
import type { CommandTopic, Topics } from '../uplink/topics.js';
import { parseCommand, refuseReason } from './command-payload.js';

export interface CommandsOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly registry: ThreadRegistry<DownMessage>;
  readonly relay: () => Relay;
  readonly topics: Topics;
  /** Makes an id for a command without one. */
  readonly makeTransaction: () => string;
}

export class Commands {
  readonly #options: CommandsOptions;
  readonly #log: Log;
  #ignoredRetained = 0;

  constructor(options: CommandsOptions) {
    this.#options = options;
    this.#log = options.log.child({ group: 'bridge/commands' });
  }

  /** Retained commands that were ignored since the start. */
  get ignoredRetained(): number {
    return this.#ignoredRetained;
  }

  /** Takes a message on a command topic. Never throws. */
  take(message: IncomingMessage): void {
    const topic = this.#options.topics.parseCommand(message.topic);
    if (topic === undefined) return;
    const refused = refuseReason(message);
    if (refused === undefined) this.#dispatch(topic, message);
    else this.#ignore(message, refused);
  }

  #ignore(message: IncomingMessage, why: string): void {
    this.#ignoredRetained += 1;
    this.#log.warn(
      { topic: message.topic, ignored: this.#ignoredRetained },
      `command on ${message.topic} ignored: ${why}`,
    );
  }

  #dispatch(topic: CommandTopic, message: IncomingMessage): void {
    const { clock, makeTransaction, registry } = this.#options;
    const parsed = parseCommand(topic, message, { receivedAt: clock.wall(), makeTransaction });
    if (!parsed.ok) {
      this.#refuse(topic.device, parsed.transaction, parsed.error, parsed.replyTo);
      return;
    }
    const { command } = parsed;
    if (registry.route(topic.device, command) !== 'no-such-group') return;
    this.#refuse(topic.device, command.transaction, `no device "${topic.device}" is connected`, command.replyTo);
  }

  #refuse(device: string, transaction: string, error: string, replyTo: ReplyTo | undefined): void {
    this.#log.warn({ device, transaction }, `command for ${device} refused: ${error}`);
    const message = {
      kind: 'response',
      device,
      status: 'error',
      transaction,
      error,
      ...(replyTo && { replyTo }),
    } as const;
    this.#options.relay().offer(message);
  }
}
