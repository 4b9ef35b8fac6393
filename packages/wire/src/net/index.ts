export { type Address, formatAddress, parseAddress } from "./address.ts";
export {
  CONNECTION_ERROR_KINDS,
  ConnectionError,
  type ConnectionErrorKind,
} from "./connection-error.ts";
export type { Connection, ConnectionHandlers } from "./connection.ts";
export { dial, type Dialing, type DialOptions } from "./dial.ts";
export type { KeepAliveOptions } from "./keep-alive.ts";
export { ListenError, type ListenErrorCode } from "./listen-error.ts";
export type {
  ByteStream,
  NetworkStack,
  ServerEvents,
  ServerOptions,
  StackTimer,
  StreamEvents,
  StreamServer,
} from "./network-stack.ts";
export { systemStack } from "./system-stack.ts";
export { listen, type Listener, type ListenOptions } from "./listen.ts";
