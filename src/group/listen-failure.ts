// Why a port cannot be listened on, in words that say what to do.

/** One line; `error` is what `listen` failed with. */
export function listenFailure(error: NodeJS.ErrnoException, host: string, port: number): string {
  const where = `${host}:${port}`;
  switch (error.code) {
    case 'EADDRINUSE':
      return `cannot listen on ${where}: another process does already (ss -ltnp shows which); choose another port or stop it`;
    case 'EACCES':
      return `cannot listen on ${where}: ports below 1024 need the capability CAP_NET_BIND_SERVICE`;
    case 'EADDRNOTAVAIL':
      return `cannot listen on ${where}: this machine has no such address; 0.0.0.0 listens on all`;
    default:
      return `cannot listen on ${where}: ${error.message}`;
  }
}
