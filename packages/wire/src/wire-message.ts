import type { ClientReply, ClientRequest, Ping, Pong } from "./client-messages.ts";
import type { Hello, HelloRefused } from "./hello.ts";
import type { RaftMessage } from "./raft-messages.ts";

/** Everything that can stand in a frame. */
export type WireMessage =
  | Hello
  | HelloRefused
  | Ping
  | Pong
  | RaftMessage
  | ClientRequest
  | ClientReply;

/** Discriminates a {@link WireMessage}. */
export type MessageType = WireMessage["type"];

/** The message that carries this `type`. */
export type MessageOf<T extends MessageType> = Extract<WireMessage, { readonly type: T }>;
