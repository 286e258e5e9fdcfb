// The answers to commands: how each stands, told on <device>/response. Every command gets `accepted` or not, and exactly one
// of `ok`, `error` and `expired` at its end.

import type { Command, CommandStatus, ResponseUp } from '../device/message.js';
import type { DeviceContext } from './device-context.js';

/** Tells the sender of a command how it stands; with `error` for `error` and `expired`. */
export function answer(
  ctx: Pick<DeviceContext, 'address' | 'relay' | 'log'>,
  command: Command,
  status: CommandStatus,
  error?: string,
  data?: unknown,
): void {
  const { transaction, replyTo } = command;
  const response: ResponseUp = {
    kind: 'response',
    device: ctx.address,
    status,
    transaction,
    ...(error !== undefined && { error }),
    ...(data !== undefined && { data }),
    ...(replyTo && { replyTo }),
  };
  ctx.relay.offer(response);
  command.onAnswer?.(response);
  if (error !== undefined) ctx.log.warn({ thread: 'send', transaction, status }, `command ${command.verb}: ${error}`);
}
