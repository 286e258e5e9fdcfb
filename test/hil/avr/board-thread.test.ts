import test from 'ava';
import { FLASH_BYTES } from '../../../src/hil/avr/atmega328p.js';
import type { AvrBoardError } from '../../../src/hil/avr/avr-board.js';
import { type FromBoard, SharedBoard } from '../../../src/hil/avr/board-protocol.js';
import { BoardThread } from '../../../src/hil/avr/board-thread.js';

test('a thread that ends by itself is told, with the cause', async (t) => {
  const failed = new Promise<AvrBoardError>((onFailure) => {
    const setup = { memory: new SharedArrayBuffer(8), flash: new Uint8Array(FLASH_BYTES), speed: 1 };
    new BoardThread({ setup, onMessage: () => {}, onFailure });
  });
  const error = await failed;
  t.is(error.code, 'avr-board-failed');
  t.true(error.cause instanceof RangeError, String(error.cause));
});

test('a thread that is ended is no failure', async (t) => {
  const failures: unknown[] = [];
  const setup = { memory: SharedBoard.allocate(), flash: new Uint8Array(FLASH_BYTES), speed: 1 };
  const started = new Promise<FromBoard>((onMessage) => {
    const thread = new BoardThread({ setup, onMessage, onFailure: (error) => failures.push(error) });
    thread.post({ kind: 'start', id: 1, cause: 'power-on' });
    t.teardown(() => thread.end());
  });
  t.is((await started).kind, 'started');
  t.deepEqual(failures, []);
});
