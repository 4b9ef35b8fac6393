import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** So many bytes may wait for the collector. */
const DROPPED_MAX_BYTES = 64 * 1024 * 1024;

type Collect = (options: {
  readonly type: "major";
  readonly execution: "async";
}) => Promise<unknown>;

let droppedBytes = 0;
let collect: Collect | null = null;

/**
 * Nobody refers to so much shared memory any more, or will not by the end of this turn. Shared
 * memory does not count as growth of the heap, which spares a store that is filled its
 * collections; but then nothing gives back what was dropped, unless it is asked for from time to
 * time. The heap is small without the values: one collection takes some milliseconds.
 */
export function noteDropped(bytes: number): void {
  droppedBytes += bytes;
  if (droppedBytes < DROPPED_MAX_BYTES) return;
  droppedBytes = 0;
  collect ??= findCollector();
  void collect({ type: "major", execution: "async" });
}

function findCollector(): Collect {
  setFlagsFromString("--expose-gc");
  return runInNewContext("gc") as Collect;
}
