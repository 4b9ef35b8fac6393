import type { Envelope, Output } from "../raft/index.ts";
import { RaftCore } from "../raft/index.ts";
import type { NodeParts } from "./sim-life.ts";

/** A voter that says yes to everyone, against §5.2. */
class YesVoter extends RaftCore {
  override takeOutput(): Output {
    const output = super.takeOutput();
    return {
      ...output,
      messages: output.messages.map(withYes),
      messagesAfterPersist: output.messagesAfterPersist.map(withYes),
    };
  }
}

function withYes<Sent extends Envelope>(sent: Sent): Sent {
  const { message } = sent;
  if (message.type !== "RequestVoteReply") return sent;
  return { ...sent, message: { ...message, voteGranted: true } };
}

/** A planted bug: a simulator that does not report it reports nothing. */
export const CANARY: NodeParts = { createCore: (...given) => new YesVoter(...given) };
