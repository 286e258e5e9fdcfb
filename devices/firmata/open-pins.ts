// Opens a board and sets up its pins. Loaded in the device's Worker only.

import type { Session, SessionHost } from 'ferrule/driver';
import { boardDetails, openBoard, watchBoard } from './board.js';
import { BoardSession, type ReportOptions } from './board-session.js';
import type { BoardChannel } from './channel.js';
import { type PinOptions, pinChannel } from './pin-channel.js';

export interface PinsOptions extends ReportOptions {
  readonly pins: Readonly<Record<string, PinOptions>>;
  readonly sampling_ms: number;
  readonly answer_within_ms: number;
}

/** Resolves when the board answers and its pins are set up. */
export async function openPins(host: SessionHost, options: PinsOptions): Promise<Session> {
  const { sampling_ms: samplingMs, answer_within_ms: answerWithinMs, pins } = options;
  const board = await openBoard(host, { samplingMs, answerWithinMs });
  board.on('string', (text: unknown) => host.log('info', `the board says: ${text}`));
  const session = new BoardSession(host, options, watchBoard(host.wire));
  const channels = new Map<string, BoardChannel>();
  for (const [name, pin] of Object.entries(pins)) {
    channels.set(
      name,
      pinChannel(board, pin, () => session.changed()),
    );
  }
  host.details(boardDetails(board));
  session.begin(channels);
  return session;
}
