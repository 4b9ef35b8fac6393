/** Where a node listens: a host name or an IP address, and a TCP port (0: any free one). */
export interface Address {
  readonly host: string;
  readonly port: number;
}

const HOST_AND_PORT = /^(?:\[([0-9A-Fa-f:.]+(?:%[\w.-]+)?)\]|([^\s:[\]]+)):([0-9]{1,5})$/u;

/** Reads `host:port` or `[ipv6]:port`. Null when `text` is neither. */
export function parseAddress(text: string): Address | null {
  const match = HOST_AND_PORT.exec(text);
  if (match === null) return null;
  const host = match[1] ?? match[2];
  const port = Number(match[3]);
  return host === undefined || port > 65_535 ? null : { host, port };
}

/** Writes what {@link parseAddress} reads: IPv6 addresses in brackets. */
export function formatAddress({ host, port }: Address): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
