import type { MessageType, NodeId, RaftMessage, WireMessage } from "@quorate/wire";
import { decodeBody, encodeFrame } from "@quorate/wire";
import { simulate } from "@quorate/node/testing";
import { readFileSync, readdirSync } from "node:fs";
import type { CreateCore } from "../../packages/node/src/server/raft-driver.ts";
import { RaftCore } from "../../packages/node/src/raft/index.ts";

/** What nodes of simulated clusters said to each other. */
export interface Recording {
  /** Frames in the order in which they were sent. */
  readonly frames: readonly Uint8Array[];
  /** What one server was told, in order. */
  readonly received: readonly { readonly from: NodeId; readonly frame: Uint8Array }[];
}

const SEEDS = [2, 5, 11] as const;
const FRAMES_MAX = 600;
const RECEIVED_MAX = 400;
/** Of one type of message so many are enough. */
const OF_A_TYPE_MAX = 12;
const FRAME_MAX_BYTES = 8 * 1024;

/** Records clusters of three. */
export async function record(): Promise<Recording[]> {
  const recordings: Recording[] = [];
  for (const seed of SEEDS) recordings.push(await recordSeed(seed));
  return recordings;
}

async function recordSeed(seed: number): Promise<Recording> {
  const frames: Uint8Array[] = [];
  const received: { readonly from: NodeId; readonly frame: Uint8Array }[] = [];
  class RecordingCore extends RaftCore {
    readonly #isFirst: boolean;

    constructor(...given: ConstructorParameters<typeof RaftCore>) {
      super(...given);
      this.#isFirst = given[0].nodeId === "n1";
    }

    override receive(from: NodeId, message: RaftMessage): void {
      const frame = encodeFrame(message);
      if (frames.length < FRAMES_MAX) frames.push(frame);
      if (this.#isFirst && received.length < RECEIVED_MAX) received.push({ from, frame });
      super.receive(from, message);
    }
  }
  const overrides = { sizes: { nodes: 3, "safety-ms": 1500 } };
  const createCore: CreateCore = (...given) => new RecordingCore(...given);
  await simulate(seed, { overrides, parts: { createCore } });
  return { frames: frames.filter(({ length }) => length <= FRAME_MAX_BYTES), received };
}

/** Some frames of each type of message. */
export function pickByType(frames: readonly Uint8Array[]): Uint8Array[] {
  const counts = new Map<MessageType, number>();
  return frames.filter((frame) => {
    const { type } = decodeBody(bodyOf(frame));
    const count = counts.get(type) ?? 0;
    counts.set(type, count + 1);
    return count < OF_A_TYPE_MAX;
  });
}

export function bodyOf(frame: Uint8Array): Uint8Array {
  return frame.subarray(4);
}

const VECTORS = new URL("../../packages/wire/test/vectors/v1/", import.meta.url);

/** The golden frames of the protocol, by the file that they stand in. */
export function goldenFrames(file?: string): Uint8Array[] {
  return readdirSync(VECTORS)
    .filter((name) => (file === undefined ? isOfMessages(name) : name === file))
    .flatMap((name) => {
      const text = readFileSync(new URL(name, VECTORS), "utf8");
      const vectors = JSON.parse(text) as readonly { readonly frame: string }[];
      return vectors.map(({ frame }) => new Uint8Array(Buffer.from(frame, "hex")));
    });
}

function isOfMessages(name: string): boolean {
  return name !== "entries.json" && name !== "configurations.json";
}

/** Whether `message` is one that servers send to each other. */
export function isRaftMessage(message: WireMessage): message is RaftMessage {
  return RAFT_TYPES.has(message.type);
}

const RAFT_TYPES: ReadonlySet<string> = new Set<RaftMessage["type"]>([
  "RequestVote",
  "RequestVoteReply",
  "PreVote",
  "PreVoteReply",
  "AppendEntries",
  "AppendEntriesReply",
  "TimeoutNow",
  "ReadIndex",
  "ReadIndexReply",
  "InstallSnapshot",
  "InstallSnapshotReply",
]);
