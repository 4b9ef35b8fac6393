import type { NodeId } from "@quorate/wire";
import type { RaftCore, RaftView } from "../../raft/index.ts";
import { requireInvariant } from "../invariant-violation.ts";

/**
 * Bounded Windows (rule 54): a leader whose disk has no room could not answer, and takes no
 * commands. Looked at after each turn of a node, during which its disk does not change.
 */
export class FullDisk {
  readonly #node: NodeId;
  /** The leader after the last turn, if its disk was full then. */
  #before: RaftView | null = null;

  constructor(node: NodeId) {
    this.#node = node;
  }

  turned(isFull: boolean, core: Pick<RaftCore, "view" | "entryAt">): void {
    const before = this.#before;
    const view = isFull ? core.view() : null;
    this.#before = view?.role === "leader" ? view : null;
    if (before === null || this.#before?.currentTerm !== before.currentTerm) return;
    for (let index = before.lastLogIndex + 1; index <= this.#before.lastLogIndex; index++) {
      requireInvariant(
        core.entryAt(index)?.kind !== "command",
        "Bounded Windows",
        () => `${this.#node} leads, its disk is full, and it takes the command at ${index}`,
      );
    }
  }
}
