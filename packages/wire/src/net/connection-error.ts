import type { HelloRefused } from "../hello.ts";
import { QuorateError } from "../errors.ts";

export const CONNECTION_ERROR_KINDS = [
  "refused",
  "timeout",
  "unresolved",
  "reset",
  "silent",
  "protocol",
  "helloRefused",
  "closed",
  "overflow",
] as const;

/**
 * Why there is no connection (any more):
 * - `refused`: nobody listens at the address; the process there is gone.
 * - `timeout`: no connection or no hello in time; the machine is unreachable, or the process hangs.
 * - `unresolved`: the address cannot be read, or its host name has no address.
 * - `reset`: the other side or the network broke the connection.
 * - `silent`: connected, but nothing came for longer than the keep-alive allows.
 * - `protocol`: the other side sent something that is not the protocol.
 * - `helloRefused`: the hello was refused; `refusal` has the code and the remedy.
 * - `closed`: the other side ended the connection in order.
 * - `overflow`: the other side reads too little; what waits for it passed the limit.
 */
export type ConnectionErrorKind = (typeof CONNECTION_ERROR_KINDS)[number];

/** A connection that could not be made, or broke. Says nothing about requests sent over it. */
export class ConnectionError extends QuorateError {
  override readonly name = "ConnectionError";
  override readonly code: ConnectionErrorKind;
  /** `host:port` of the other side. */
  readonly address: string;
  /** Of kind `helloRefused`: what was answered. Otherwise null. */
  readonly refusal: HelloRefused | null;
  /** Of kind `timeout`: whether the port took the connection, so that a process hangs behind it. */
  readonly accepted: boolean;

  constructor(
    kind: ConnectionErrorKind,
    address: string,
    details: { message: string; cause?: unknown; refusal?: HelloRefused; accepted?: boolean },
  ) {
    super(
      `${address}: ${details.message}`,
      details.cause === undefined ? undefined : { cause: details.cause },
    );
    this.code = kind;
    this.address = address;
    this.refusal = details.refusal ?? null;
    this.accepted = details.accepted ?? false;
  }

  /** The same as `code`. */
  get kind(): ConnectionErrorKind {
    return this.code;
  }
}

const KIND_BY_SYSTEM_CODE: Readonly<Record<string, ConnectionErrorKind>> = {
  ECONNREFUSED: "refused",
  ENOENT: "refused",
  ETIMEDOUT: "timeout",
  EHOSTUNREACH: "timeout",
  EHOSTDOWN: "timeout",
  ENETUNREACH: "timeout",
  ENETDOWN: "timeout",
  ENOTFOUND: "unresolved",
  EAI_AGAIN: "unresolved",
  EAI_FAIL: "unresolved",
  EADDRNOTAVAIL: "unresolved",
  ERR_SOCKET_BAD_PORT: "unresolved",
};

const MESSAGE_BY_KIND: Partial<Record<ConnectionErrorKind, string>> = {
  refused: "connection refused",
  timeout: "no connection in time",
  unresolved: "the address does not resolve",
  reset: "the connection broke",
};

/** What the operating system reported about a socket, in this protocol's terms. */
export function connectionErrorFrom(error: Error, address: string): ConnectionError {
  const systemCode = "code" in error && typeof error.code === "string" ? error.code : "";
  const kind = isTlsError(systemCode) ? "protocol" : (KIND_BY_SYSTEM_CODE[systemCode] ?? "reset");
  const text = MESSAGE_BY_KIND[kind] ?? error.message;
  const detail = systemCode === "" ? error.message : systemCode;
  return new ConnectionError(kind, address, { message: `${text} (${detail})`, cause: error });
}

function isTlsError(systemCode: string): boolean {
  return /^(?:ERR_SSL|ERR_TLS|EPROTO$|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO)/u.test(systemCode);
}
