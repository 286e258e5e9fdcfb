// The end of the process. `exit()` waits for Node's helper threads, and one that looks up a host name (getaddrinfo) cannot be called
// off: with a device whose name is not found, a gateway that has ended in order would be there for ten more seconds, or thirty with
// three name servers; `docker stop` kills it after ten, and a restart begins that much later. Then libc's `_exit` ends it, which waits
// for nobody. What is to be written has been written by then: the log, stdout and stderr write at once.

/** What Node calls a lookup under way. */
const LOOKUP = 'GetAddrInfoReqWrap';

/** Ends the process with `code`, at once also where a host name is being looked up. */
export async function exitProcess(code: number): Promise<never> {
  if (process.getActiveResourcesInfo().includes(LOOKUP)) await exitAtOnce(code);
  process.exit(code);
}

/** Returns only where koffi does not load. */
export async function exitAtOnce(code: number): Promise<void> {
  try {
    const { default: koffi } = await import('koffi');
    koffi.load(null).func('void _exit(int)')(code);
  } catch {
    // Then it takes as long as the lookup.
  }
}
