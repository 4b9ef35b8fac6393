import type { NodeStatus, WireMessage } from "../src/index.ts";
import { readdirSync, readFileSync } from "node:fs";

/** A message or value and the bytes that it is encoded as, in one version of the protocol. */
export interface Vector {
  readonly name: string;
  readonly message: unknown;
  readonly frame: Uint8Array;
}

const FOLDER = new URL("vectors/", import.meta.url);

/** The vectors of one file, such as `v1/raft.json`. */
export function readVectors(file: string): Vector[] {
  const text = readFileSync(new URL(file, FOLDER), "utf8");
  const vectors = JSON.parse(text, reviveBytes) as {
    name: string;
    message: unknown;
    frame: string;
  }[];
  return vectors.map((vector) => ({ ...vector, frame: bytesOfHex(vector.frame) }));
}

/** Every file of frames, of every version of the protocol. */
export function vectorFiles(): string[] {
  return readdirSync(FOLDER, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".json"))
    .toSorted();
}

/**
 * Fields that messages got after their first vectors were written, and what a frame without them
 * means (docs/protocol.md, "What may change").
 */
export const laterFields: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  Hello: { bootNumber: null, configurationIndex: null },
  Get: { maxStalenessMs: null, minRevision: 0 },
  Put: { ifRevision: null, session: null },
  Delete: { ifRevision: null, session: null },
  GetReply: { ageMs: 0 },
  Subscribe: { eventBacklogMax: 0 },
};

const LATER_STATUS = {
  configurationIndex: 0,
  snapshotIndex: 0,
  snapshotBytes: 0,
  storageState: "ok",
  retired: false,
  sessions: 0,
  stateHash: "",
  faultsAllowed: false,
  faults: [],
} as const;
const LATER_PEER = {
  snapshotOffset: null,
  snapshotBytes: null,
  catchUpRounds: null,
  refusal: null,
} as const;

/** Names of a status that a sender may leave out. */
export const laterStatusNames: readonly string[] = Object.keys(LATER_STATUS);

/** `message` as it is decoded: with what its vector is older than. */
export function withLaterFields(message: WireMessage): WireMessage {
  const whole = { ...laterFields[message.type], ...message } as WireMessage;
  switch (whole.type) {
    case "StatusReply":
    case "StreamState":
      return { ...whole, status: { ...LATER_STATUS, ...whole.status, ...lists(whole.status) } };
    case "StreamDelta":
      return { ...whole, changed: { ...whole.changed, ...lists(whole.changed) } };
    default:
      return whole;
  }
}

function lists(status: Partial<NodeStatus>): Partial<NodeStatus> {
  const { members, peers } = status;
  return {
    ...(members !== undefined && {
      members: members.map((member) => ({
        ...member,
        role: "role" in member ? member.role : withoutRole(member),
      })),
    }),
    ...(peers !== undefined && { peers: peers.map((peer) => ({ ...LATER_PEER, ...peer })) }),
  };
}

function withoutRole({ voter }: { readonly voter: boolean }): "voter" | "learner" {
  return voter ? "voter" : "learner";
}

/** Bytes stand in the files as `{"bytes": "00ff"}`. */
function reviveBytes(_name: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  const { bytes, ...others } = value as { bytes?: unknown };
  return typeof bytes === "string" && Object.keys(others).length === 0 ? bytesOfHex(bytes) : value;
}

function bytesOfHex(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex, "hex"));
}
