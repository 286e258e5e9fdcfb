// An address to listen on as people write it: `127.0.0.1:8377`, `0.0.0.0:80`, `[::]:8377`, `localhost:8377`.

export interface ListenAddress {
  /** Without the brackets of IPv6. */
  readonly host: string;
  /** 0: the system chooses. */
  readonly port: number;
}

const FORM = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]/@]+)):(\d{1,5})$/;

/** The parts of an address; undefined if it is none. */
export function parseListenAddress(text: string): ListenAddress | undefined {
  const [, v6, name, digits] = FORM.exec(text) ?? [];
  const host = v6 ?? name;
  const port = Number(digits);
  return host === undefined || port > 65535 ? undefined : { host, port };
}

/** The other way round. */
export function formatListenAddress({ host, port }: ListenAddress): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}
