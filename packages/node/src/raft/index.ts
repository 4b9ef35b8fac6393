export { assert, InvariantError } from "./assert.ts";
export type { RaftConfig } from "./raft-config.ts";
export { RAFT_DEFAULTS } from "./raft-config.ts";
export type { Random } from "./random.ts";
export type {
  DeferredEnvelope,
  Envelope,
  HardState,
  Output,
  PersistBatch,
  ReadState,
  RecoveredState,
  SnapshotAck,
  SnapshotChunk,
  SnapshotPoint,
  SnapshotSwitch,
} from "./output.ts";
export type { ConfigurationCodec } from "./configuration-log.ts";
export type {
  ChangeOptions,
  ChangeRefusal,
  ChangeResult,
  ConfigurationTarget,
} from "./membership.ts";
export type { PeerView, ProposeResult, RaftView, TransferResult } from "./raft-core.ts";
export { RaftCore } from "./raft-core.ts";
export { checkState, checkTransition } from "./invariants.ts";
export { allMembers, allVoters, hasQuorum, isVoter, majorityOf, quorumReached } from "./quorum.ts";
export { isAsUpToDate } from "./raft-log.ts";
