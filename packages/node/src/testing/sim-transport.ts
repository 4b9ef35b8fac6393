import type { NodeId, RaftMessage } from "@quorate/wire";
import { decodeBody, encodeFrame, FRAME_BODY_MAX_BYTES, FrameDecoder } from "@quorate/wire";
import type { Transport, TransportHandlers } from "../ports/transport.ts";
import { assert } from "../raft/index.ts";
import { ChangedEntries } from "./changed-entries.ts";
import type { SimNetwork } from "./sim-network.ts";
import type { SimProcess } from "./sim-process.ts";

/** One node's way into the simulated network: messages travel as the bytes of the protocol. */
export class SimTransport implements Transport {
  readonly #nodeId: NodeId;
  readonly #network: SimNetwork;
  readonly #process: SimProcess;
  #handlers: TransportHandlers | null = null;

  constructor(nodeId: NodeId, network: SimNetwork, process: SimProcess) {
    this.#nodeId = nodeId;
    this.#network = network;
    this.#process = process;
  }

  start(handlers: TransportHandlers): void {
    this.#handlers = handlers;
    const decoder = new FrameDecoder(FRAME_BODY_MAX_BYTES);
    const changedEntries = new ChangedEntries(this.#network.coverage);
    this.#network.attach(this.#nodeId, (from, frame) => {
      this.#process.deliver(() => {
        decoder.push(frame, (body) => {
          const message = decodeRaftMessage(body);
          changedEntries.arrived(frame, message);
          handlers.onMessage(from, message);
        });
        handlers.onBatchEnd();
      });
    });
  }

  send(to: NodeId, message: RaftMessage): void {
    this.#network.send(this.#nodeId, to, encodeFrame(message), message);
  }

  sendBulk(to: NodeId, message: RaftMessage): void {
    this.send(to, message);
  }

  /** Nothing waits: what is sent is on its way. */
  flush(): void {}

  /** Tells the node, in its own turn, that the connection to `peer` is gone. */
  peerDown(peer: NodeId, refused: boolean): void {
    this.#process.deliver(() => {
      this.#handlers?.onPeerDown(peer, refused);
    });
  }

  close(): Promise<void> {
    this.#network.attach(this.#nodeId, null);
    return Promise.resolve();
  }
}

function decodeRaftMessage(body: Uint8Array): RaftMessage {
  const message = decodeBody(body);
  switch (message.type) {
    case "RequestVote":
    case "RequestVoteReply":
    case "PreVote":
    case "PreVoteReply":
    case "AppendEntries":
    case "AppendEntriesReply":
    case "TimeoutNow":
    case "ReadIndex":
    case "ReadIndexReply":
    case "InstallSnapshot":
    case "InstallSnapshotReply":
      return message;
    default:
      assert(false, `${message.type} between servers`);
  }
}
