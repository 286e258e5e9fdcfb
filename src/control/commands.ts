// Commands on their way down: what the uplink has received is read, refused or routed to its device's group. Every command
// has an answer, also the one that nobody can take, the one that came before, and the retained one that is ignored.

import type { Clock } from '../core/clock.js';
import type { Log } from '../core/log.js';
import type { ThreadRegistry } from '../core/thread-registry.js';
import type { Command, DownMessage, Relay, ReplyTo, ResponseUp } from '../device/message.js';
import type { IncomingMessage } from '../uplink/incoming-message.js';
import type { CommandTopic, Topics } from '../uplink/topics.js';
import { type ParsedCommand, parseCommand, refuseReason } from './command-payload.js';
import { type ArrivedCommand, contentsOf, RecentCommands, type Standing } from './recent-commands.js';

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
  readonly #recent: RecentCommands;
  #ignoredRetained = 0;
  #repeated = 0;

  constructor(options: CommandsOptions) {
    this.#options = options;
    this.#log = options.log.child({ group: 'bridge/commands' });
    this.#recent = new RecentCommands(options.clock);
  }

  /** Retained commands that were ignored since the start. */
  get ignoredRetained(): number {
    return this.#ignoredRetained;
  }

  /** Commands that came again and were not done again, since the start. */
  get repeated(): number {
    return this.#repeated;
  }

  /** Takes a message on a command topic. Never throws. */
  take(message: IncomingMessage): void {
    const topic = this.#options.topics.parseCommand(message.topic);
    if (topic === undefined) return;
    const parsed = this.#parse(topic, message);
    const ignored = refuseReason(message);
    if (ignored !== undefined) this.#ignore(topic, message, parsed, ignored);
    else if (parsed.ok) this.#judge(topic, message, parsed);
    else this.#refuse(topic.device, parsed.transaction, parsed.error, parsed.replyTo);
  }

  #parse(topic: CommandTopic, message: IncomingMessage): ParsedCommand {
    const { clock, makeTransaction } = this.#options;
    return parseCommand(topic, message, { receivedAt: clock.now(), makeTransaction });
  }

  /** Told on the device's response topic, for those who watch: whoever has sent it may have gone long ago. */
  #ignore({ device }: CommandTopic, { topic }: IncomingMessage, parsed: ParsedCommand, why: string): void {
    this.#ignoredRetained += 1;
    this.#log.warn({ topic, ignored: this.#ignoredRetained }, `command on ${topic} ignored: ${why}`);
    const { transaction } = parsed.ok ? parsed.command : parsed;
    this.#answer({ kind: 'response', device, status: 'error', transaction, error: `not done: ${why}` });
  }

  /** Routes a command that has not come before. */
  #judge(topic: CommandTopic, message: IncomingMessage, { command, isNamed }: ReadCommand): void {
    const { device } = topic;
    // Sent once at most: nobody will send it again, and there may be many.
    if (message.qos === 0 && !isNamed) {
      this.#route(device, command);
      return;
    }
    const recollection = this.#recent.judge(arrived(message, { device, command, isNamed }));
    switch (recollection.is) {
      case 'new':
        this.#route(device, { ...command, onAnswer: recollection.onAnswer });
        return;
      case 'repeat':
        this.#repeat(
          device,
          { ...command, transaction: recollection.transaction ?? command.transaction },
          recollection,
        );
        return;
      case 'misnamed':
        this.#refuse(device, command.transaction, misnamed(command.transaction), command.replyTo);
    }
  }

  #route(device: string, command: Command): void {
    if (this.#options.registry.route(device, command) !== 'no-such-group') return;
    const why = `no device "${device}" is connected`;
    command.onAnswer?.(this.#refuse(device, command.transaction, why, command.replyTo));
  }

  /** Answers with how the first one stands: the sender may have missed it. */
  #repeat(device: string, { transaction, replyTo }: Command, { standing }: { readonly standing: Standing }): void {
    this.#repeated += 1;
    const fields = { device, transaction, status: standing.status, repeated: this.#repeated };
    this.#log.info(fields, `command for ${device} has come again: not done again`);
    const { status, error } = standing;
    const data = marked(standing.data);
    this.#answer({
      kind: 'response',
      device,
      status,
      transaction,
      ...(error !== undefined && { error }),
      data,
      ...(replyTo && { replyTo }),
    });
  }

  #refuse(device: string, transaction: string, error: string, replyTo: ReplyTo | undefined): ResponseUp {
    this.#log.warn({ device, transaction }, `command for ${device} refused: ${error}`);
    return this.#answer({
      kind: 'response',
      device,
      status: 'error',
      transaction,
      error,
      ...(replyTo && { replyTo }),
    });
  }

  #answer(response: ResponseUp): ResponseUp {
    this.#options.relay().offer(response);
    return response;
  }
}

type ReadCommand = Extract<ParsedCommand, { ok: true }>;

/** What of a command shows that it is the same as another. */
function arrived(
  message: IncomingMessage,
  { device, command, isNamed }: { readonly device: string; readonly command: Command; readonly isNamed: boolean },
): ArrivedCommand {
  // With a transaction, time and place of the answer may differ from one try to the next.
  const contents = isNamed
    ? contentsOf(command.verb, command.channel, command.payload)
    : contentsOf(message.topic, message.correlation, message.payload);
  const transaction = isNamed ? command.transaction : undefined;
  return { device, transaction, contents, isRedelivery: message.dup };
}

function misnamed(transaction: string): string {
  return `not done: the transaction "${transaction}" was another command's in the last 10 minutes; give each its own`;
}

/** The data of the first answer, marked as that of a repeat. */
function marked(data: unknown): Readonly<Record<string, unknown>> {
  if (data === undefined) return { duplicate: true };
  const isMap = typeof data === 'object' && data !== null && !Array.isArray(data);
  return isMap ? { ...data, duplicate: true } : { value: data, duplicate: true };
}
