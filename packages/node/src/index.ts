/**
 * The door for those who embed a server in their own process: `startServer` runs what the daemon
 * `quorated` runs. With a state machine of their own they put `RaftDriver` together with
 * `openStorage` and `TcpTransport`, as server/server.ts does for the key-value store.
 */
export type { ConfigFault } from "./config/config-error.ts";
export { ConfigError, formatConfigError } from "./config/config-error.ts";
export type { Member } from "./config/initial-cluster.ts";
export type { NodeConfig, RawSettings } from "./config/node-config.ts";
export { parseNodeConfig } from "./config/node-config.ts";
export type { LogLevel } from "./config/settings.ts";
export { decodeCommand, encodeCommand } from "./kv/command-codec.ts";
export type { CommandEnvelope, DecodedCommand, KvCommand } from "./kv/kv-command.ts";
export type { KvResult } from "./kv/kv-result.ts";
export { KvStateMachine } from "./kv/kv-state-machine.ts";
export type { KvSnapshotErrorCode } from "./kv/snapshot-error.ts";
export { KvSnapshotError } from "./kv/snapshot-error.ts";
export type { Clock, Timer } from "./ports/clock.ts";
export type { Random } from "./ports/random.ts";
export type {
  SnapshotName,
  SnapshotReader,
  SnapshotReceiver,
  SnapshotStore,
  SnapshotWriter,
} from "./ports/snapshot-store.ts";
export type { StateMachine, StateRestorer, StateSnapshot } from "./ports/state-machine.ts";
export type { Storage } from "./ports/storage.ts";
export type { Transport, TransportHandlers } from "./ports/transport.ts";
export type { ChangeOptions, ConfigurationTarget, RaftConfig, RaftView } from "./raft/index.ts";
export { InvariantError, RAFT_DEFAULTS } from "./raft/index.ts";
export type {
  ByteProgress,
  ChangeOutcome,
  DriverObserver,
  ProposalOutcome,
  ReadOutcome,
  SnapshotStatus,
  SnapshotWork,
  TransferOutcome,
} from "./server/driver-outcomes.ts";
export type { RaftDriverOptions } from "./server/raft-driver.ts";
export { RaftDriver } from "./server/raft-driver.ts";
export type { QuorateServer, ServerDependencies } from "./server/server.ts";
export { startServer } from "./server/server.ts";
export { systemClock } from "./server/system-clock.ts";
export { systemRandom } from "./server/system-random.ts";
export * from "./storage/index.ts";
export type { PeerContact, TcpTransportOptions } from "./transport/tcp-transport.ts";
export { PEER_LINK_DEFAULTS, TcpTransport } from "./transport/tcp-transport.ts";
