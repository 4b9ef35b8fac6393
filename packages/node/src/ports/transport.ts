import type { NodeId, RaftMessage } from "@quorate/wire";

/** What a transport tells its node. Called from its own turn of the loop, never from within `send`. */
export interface TransportHandlers {
  /** `from` has been proven by the connection's hello; `message` has been checked for its form only. */
  onMessage(from: NodeId, message: RaftMessage): void;
  /** All messages that arrived in this turn of the loop have been handed over. */
  onBatchEnd(): void;
  onPeerConnected(peer: NodeId): void;
  /**
   * The connection to `peer` is gone. `refused`: a new one was refused at once, so the peer's
   * process is not there any more; otherwise nothing is known about it.
   */
  onPeerDown(peer: NodeId, refused: boolean): void;
}

/**
 * Carries messages between servers. It may lose, repeat, delay and reorder them (Raft §2): a
 * reconnect does all four. It never blocks and never grows: what does not fit a peer's bounded
 * queue is dropped.
 */
export interface Transport {
  start(handlers: TransportHandlers): void;
  /** Fire and forget. */
  send(to: NodeId, message: RaftMessage): void;
  /** Fire and forget, beside the other messages: however big, it never holds one of them up. */
  sendBulk(to: NodeId, message: RaftMessage): void;
  /** Hands what was sent in this turn to the network now, so that it leaves before a disk write. */
  flush(): void;
  close(): Promise<void>;
}
