import type { RaftMessage } from "@quorate/wire";
import { encodeFrame } from "@quorate/wire";
import type { NodeParts } from "@quorate/node/testing";
import type { Output } from "../../src/raft/index.ts";
import { RaftCore } from "../../src/raft/index.ts";

/** What the course calls an RPC is a request here: an answer is a message of its own. */
const REQUESTS: ReadonlySet<RaftMessage["type"]> = new Set([
  "RequestVote",
  "PreVote",
  "AppendEntries",
  "TimeoutNow",
  "ReadIndex",
  "InstallSnapshot",
]);

/** Counts what all servers of a group send. */
export class RpcMeter {
  /** Requests that were sent. */
  requests = 0;
  /** Bytes of all frames that were sent, answers included. */
  bytes = 0;

  /** Makes a core whose messages are counted. */
  readonly createCore: NonNullable<NodeParts["createCore"]> = (...given) => {
    const sent = (message: RaftMessage): void => {
      this.#sent(message);
    };
    class MeteredCore extends RaftCore {
      override takeOutput(): Output {
        const output = super.takeOutput();
        for (const { message } of output.messages) sent(message);
        for (const { message } of output.messagesAfterPersist) sent(message);
        return output;
      }
    }
    return new MeteredCore(...given);
  };

  #sent(message: RaftMessage): void {
    if (REQUESTS.has(message.type)) this.requests += 1;
    this.bytes += encodeFrame(message).length;
  }
}
