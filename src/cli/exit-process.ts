// The end of the process, when its command has given its exit code.
//
// What has been printed into a pipe and is still to be read would be cut off by `exit()` behind the first 64 KiB, so it is waited for.
// And `exit()` waits for Node's helper threads, of which one that looks up a host name (getaddrinfo) cannot be called off: with a device
// whose name is not found, a gateway that has ended in order would be there for ten more seconds, or thirty with three name servers;
// `docker stop` kills it after ten, and a restart begins that much later. There libc's `_exit` ends it, which waits for nobody.

/** What Node calls a lookup under way. */
const LOOKUP = 'GetAddrInfoReqWrap';

/** Ends the process with `code` once all that it has printed is written, at once also where a host name is being looked up. */
export async function exitProcess(code: number): Promise<never> {
  await printed(process.stdout);
  if (process.getActiveResourcesInfo().includes(LOOKUP)) await exitAtOnce(code);
  process.exit(code);
}

/** Resolves when it is written, or can be no more. A reader that keeps it waiting is waited for; a signal ends that. */
function printed(stream: NodeJS.WriteStream): Promise<unknown> | undefined {
  return stream.writableLength > 0 ? new Promise((resolve) => stream.write('', resolve)) : undefined;
}

/** Returns only where koffi does not load. */
async function exitAtOnce(code: number): Promise<void> {
  try {
    const { default: koffi } = await import('koffi');
    koffi.load(null).func('void _exit(int)')(code);
  } catch {
    // Then it takes as long as the lookup.
  }
}
