// Makes the master end of a pty by calling libc through koffi: Node has no posix_openpt, and a compiled addon would need a
// compiler at install. Loaded on demand only (`ferrule/hil`, `ferrule demo`): the daemon never comes here.

import { closeSync, constants } from 'node:fs';
import { FerruleError, messageOf } from '../core/errors.js';

/** O_CLOEXEC of every Linux that Ferrule runs on (x64, arm, arm64); node:fs does not name it. */
const O_CLOEXEC = 0o2000000;
/** Larger than any libc's struct termios (60 bytes on glibc). */
const TERMIOS_BYTES = 256;
const PATH_BYTES = 128;
const TCSANOW = 0;

/** No ptys on this machine: koffi does not load here, or /dev/ptmx may not be opened. Callers fall back to TCP. */
export class PtyUnavailableError extends FerruleError {
  constructor(reason: string, options?: { cause?: unknown }) {
    super('pty-unavailable', `ptys are not available here: ${reason}`, options);
  }
}

/** The master's descriptor (non-blocking, closed on exec) and the node that the other side opens. */
export interface PtyMaster {
  readonly fd: number;
  readonly slavePath: string;
}

type Call = (...args: readonly (number | Buffer)[]) => number;

interface Libc {
  readonly openpt: Call;
  readonly grant: Call;
  readonly unlock: Call;
  readonly name: Call;
  readonly getAttributes: Call;
  readonly makeRaw: Call;
  readonly setAttributes: Call;
  /** Throws with the system's error code if `result` says that the call failed. */
  check(what: string, result: number): void;
}

/** Opens a new pty, unlocked and in raw mode (bytes go through as they are). Rejects with PtyUnavailableError. */
export async function openPtyMaster(): Promise<PtyMaster> {
  const libc = await loadLibc();
  const { O_RDWR, O_NOCTTY, O_NONBLOCK } = constants;
  const fd = libc.openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
  libc.check('posix_openpt', fd);
  try {
    libc.check('grantpt', libc.grant(fd));
    libc.check('unlockpt', libc.unlock(fd));
    setRaw(libc, fd);
    return { fd, slavePath: slavePathOf(libc, fd) };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

async function loadLibc(): Promise<Libc> {
  try {
    const { default: koffi } = await import('koffi');
    const self = koffi.load(null); // libc is in every Node process, under different file names
    return {
      openpt: self.func('int posix_openpt(int)'),
      grant: self.func('int grantpt(int)'),
      unlock: self.func('int unlockpt(int)'),
      name: self.func('int ptsname_r(int, void *, size_t)'),
      getAttributes: self.func('int tcgetattr(int, void *)'),
      makeRaw: self.func('void cfmakeraw(void *)'),
      setAttributes: self.func('int tcsetattr(int, int, void *)'),
      check(what, result) {
        if (result >= 0) return;
        const code = Object.entries(koffi.os.errno).find(([, value]) => value === koffi.errno())?.[0];
        throw new PtyUnavailableError(
          `${what} failed with ${code ?? koffi.errno()}; is /dev/pts mounted, is /dev/ptmx allowed?`,
        );
      },
    };
  } catch (cause) {
    throw new PtyUnavailableError(`koffi does not load (${messageOf(cause)})`, { cause });
  }
}

/** On Linux the attributes set on the master are those of the slave. */
function setRaw(libc: Libc, fd: number): void {
  const termios = Buffer.alloc(TERMIOS_BYTES);
  libc.check('tcgetattr', libc.getAttributes(fd, termios));
  libc.makeRaw(termios);
  libc.check('tcsetattr', libc.setAttributes(fd, TCSANOW, termios));
}

function slavePathOf(libc: Libc, fd: number): string {
  const path = Buffer.alloc(PATH_BYTES);
  if (libc.name(fd, path, PATH_BYTES) !== 0) throw new PtyUnavailableError('the pty has no name; is /dev/pts mounted?');
  return path.toString('latin1', 0, path.indexOf(0));
}
