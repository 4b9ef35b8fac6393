import type { LogEntry, NodeId, RaftMessage } from "@quorate/wire";
import type { SnapshotName } from "../ports/snapshot-store.ts";
import type { PersistBatch, RaftView } from "../raft/index.ts";
import type { DriverObserver, SnapshotWork } from "./driver-outcomes.ts";

/** Tells several observers, in their order. */
export class Observers<Result> implements Required<DriverObserver<Result>> {
  readonly #observers: readonly DriverObserver<Result>[];

  constructor(observers: readonly DriverObserver<Result>[]) {
    this.#observers = observers;
  }

  onStep(before: RaftView, after: RaftView): void {
    for (const observer of this.#observers) observer.onStep(before, after);
  }

  onMessageReceived(from: NodeId, message: RaftMessage): void {
    for (const observer of this.#observers) observer.onMessageReceived?.(from, message);
  }

  onMessageSent(to: NodeId, message: RaftMessage): void {
    for (const observer of this.#observers) observer.onMessageSent?.(to, message);
  }

  onPersisted(batch: PersistBatch, durationMs: number): void {
    for (const observer of this.#observers) observer.onPersisted?.(batch, durationMs);
  }

  onApplied(entry: LogEntry, result: Result | null): void {
    for (const observer of this.#observers) observer.onApplied?.(entry, result);
  }

  onSnapshotTaken(name: SnapshotName, work: SnapshotWork): void {
    for (const observer of this.#observers) observer.onSnapshotTaken?.(name, work);
  }

  onSnapshotInstalled(name: SnapshotName, work: SnapshotWork): void {
    for (const observer of this.#observers) observer.onSnapshotInstalled?.(name, work);
  }

  onSnapshotSending(to: NodeId, name: SnapshotName, totalBytes: number): void {
    for (const observer of this.#observers) observer.onSnapshotSending?.(to, name, totalBytes);
  }

  onSnapshotDamaged(from: NodeId, name: SnapshotName): void {
    for (const observer of this.#observers) observer.onSnapshotDamaged?.(from, name);
  }

  onPeerConnected(peer: NodeId): void {
    for (const observer of this.#observers) observer.onPeerConnected?.(peer);
  }

  onPeerDown(peer: NodeId, refused: boolean): void {
    for (const observer of this.#observers) observer.onPeerDown?.(peer, refused);
  }
}
