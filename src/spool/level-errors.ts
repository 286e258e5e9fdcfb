// What LevelDB throws, as a StoreError: damaged, in use by another, or refused by the system.

import { messageOf } from '../core/errors.js';
import { StoreError } from './store-error.js';

/** `code` of an error, or of what it was caused by. */
function codeOf(error: unknown): string {
  const { code = '', cause } = error as { code?: string; cause?: { code?: string } };
  return cause?.code ?? code;
}

function reasonOf(error: unknown): string {
  const { cause } = error as { cause?: unknown };
  return cause instanceof Error ? cause.message : messageOf(error);
}

/** Whatever a call to an open store threw. */
export function storeErrorFrom(error: unknown, dir: string): StoreError {
  if (error instanceof StoreError) return error;
  const code = codeOf(error) === 'LEVEL_CORRUPTION' ? 'STORE_CORRUPT' : 'STORE_IO';
  return new StoreError(code, `the spool in ${dir}: ${reasonOf(error)}`, { cause: error });
}

/** Whatever opening threw. LevelDB calls a file that should be there and is not an I/O error, and a wrong comparator an invalid argument. */
export function openErrorFrom(error: unknown, dir: string): StoreError {
  const reason = reasonOf(error);
  if (codeOf(error) === 'LEVEL_LOCKED') {
    return new StoreError('STORE_LOCKED', `the spool in ${dir} is open in another process`, { cause: error });
  }
  const isDamaged = /No such file|Invalid argument|NotFound/i.test(reason);
  return isDamaged
    ? new StoreError('STORE_CORRUPT', `the spool in ${dir}: ${reason}`, { cause: error })
    : storeErrorFrom(error, dir);
}
