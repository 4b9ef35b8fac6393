import type { NodeId, Outcome, RequestErrorCode } from "@quorate/wire";
import { KEY_MAX_BYTES } from "@quorate/wire";

/** Why a request is not answered as asked. */
export interface Refusal {
  readonly code: RequestErrorCode;
  /** Default: `notApplied`. */
  readonly outcome?: Outcome;
  readonly leaderId?: NodeId | null;
  /** Default: the words for `code`. */
  readonly message?: string;
}

/** For a key of a size that no key has. */
export function keySizeRefusal(key: Uint8Array): Refusal {
  return key.length === 0
    ? { code: "invalid", message: "a key has at least one byte" }
    : {
        code: "tooLarge",
        message: `a key has at most ${KEY_MAX_BYTES} bytes, not ${key.length}`,
      };
}

const WORDS: Readonly<Record<Exclude<RequestErrorCode, "notLeader">, string>> = {
  noLeader: "this node knows no leader",
  leadershipLost: "leadership was lost before the request was decided",
  proposalDropped: "another leader's entry took the place of this one",
  transferring: "leadership is being handed over",
  overloaded: "too much waits to be committed; try again later",
  tooLarge: "the request is too large",
  invalid: "the request is not valid",
  stopping: "this node is stopping",
  transferFailed: "leadership did not move",
  conditionFailed: "the key is not at the revision that was asked for",
  sessionExpired: "the session is over or never was",
  behind: "this node has not applied the revision that was asked for",
  tooStale: "this node may be further behind than was asked for",
  changeInProgress: "another change of members is under way",
  notReady: "the leader is new and has committed nothing yet",
  conflict: "the members are not those that the change was thought of for",
  quorumAtRisk: "too few of the voters that there would be answer",
  storageFull: "the leader's disk is full: make room on it; reads go on",
  faultsNotAllowed: "this node was not started with --allow-faults: its lines cannot be cut",
  notMember: "this node was removed from the cluster: ask another one",
};

/** What `code` says to people. */
export function describeRefusal(code: RequestErrorCode, leaderId: NodeId | null): string {
  if (code !== "notLeader") return WORDS[code];
  return `this node does not lead; ${leaderId ?? "another node"} does`;
}
