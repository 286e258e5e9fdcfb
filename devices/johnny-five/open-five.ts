// Puts johnny-five on a board that is up, and the components onto it. Loaded in the device's Worker only: johnny-five cannot let
// go of a board in-process, and would put its hands on the process's signals and terminal.

import type { Session, SessionHost } from 'ferrule/driver';
import type { Firmata } from 'firmata-io';
import five, { type Board } from 'johnny-five';
import { boardDetails, watchBoard } from '../firmata/board.js';
import { BoardSession, type ReportOptions } from '../firmata/board-session.js';
import type { BoardChannel } from '../firmata/channel.js';
import type { ComponentOptions } from './component-options.js';
import { makeComponent } from './components.js';

export interface FiveOptions extends ReportOptions {
  readonly components: Readonly<Record<string, ComponentOptions>>;
}

/** Resolves when all components are up on a board that is. Rejects, with the component's name, where it has no such pins. */
export async function openFive(host: SessionHost, io: Firmata, options: FiveOptions): Promise<Session> {
  const { components } = options;
  const board = await boardOn(io, host);
  const session = new BoardSession(host, options, watchBoard(host.wire));
  const channels = new Map<string, BoardChannel>();
  for (const [name, component] of Object.entries(components)) {
    channels.set(
      name,
      placed(name, () => makeComponent(board, component, () => session.changed())),
    );
  }
  const types = Object.entries(components).map(([name, { type }]) => [name, type]);
  host.details({ ...boardDetails(io), components: Object.fromEntries(types) });
  session.begin(channels);
  return session;
}

function boardOn(io: Firmata, host: SessionHost): Promise<Board> {
  const board = new five.Board({ io, repl: false, debug: false, sigint: false });
  for (const [event, level] of [
    ['error', 'error'],
    ['fail', 'error'],
    ['warn', 'warn'],
  ] as const) {
    board.on(event, (said: { readonly message?: string } | undefined) => host.log(level, said?.message ?? event));
  }
  board.on('string', (text: unknown) => host.log('info', `the board says: ${text}`));
  // `once`: the board emits `ready` again for each listener's sake.
  return new Promise((resolve) => board.once('ready', () => resolve(board)));
}

/** An error of johnny-five's says nothing of the component that it is about. */
function placed<T>(name: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    throw new Error(`component ${name}: ${error instanceof Error ? error.message : error}`);
  }
}
