import { RecordStore } from "./record-store.ts";
import { SessionTable } from "./session-table.ts";
import { StateHash } from "./state-hash.ts";

/** Everything that applying an entry depends on. */
export class KvState {
  readonly hash: StateHash = new StateHash();
  readonly records: RecordStore = new RecordStore(this.hash);
  readonly sessions: SessionTable = new SessionTable(this.hash);
  /** Changes of the records so far. */
  revision = 0;
  /** Greatest cluster time of any command so far: the clock that sessions expire by. */
  clusterTimeMs = 0;
  /** Index of the last command that was applied. */
  appliedIndex = 0;

  digest(): string {
    return this.hash.digest(this.revision, this.clusterTimeMs);
  }
}
