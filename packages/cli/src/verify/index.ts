/**
 * Trying a live cluster: clients that record what they were answered, faults, and the verdict.
 * Used by `quorate verify`, and by the chaos rig of this repository.
 */
export { Acknowledged, type Loss } from "./acknowledged.ts";
export { Availability } from "./availability.ts";
export { Dice } from "./dice.ts";
export {
  compareNodes,
  type CompareOptions,
  type Comparison,
  readBack,
  type ReadBack,
  type ReadBackOptions,
} from "./final-state.ts";
export { checkFile } from "./history-check.ts";
export { HistoryFile } from "./history-file.ts";
export { Workload, type WorkloadCounts, type WorkloadOptions } from "./workload.ts";
export {
  cutsBetween,
  cutsIn,
  cutsOneWay,
  type CutOutcome,
  describeCuts,
  type LineCut,
  type NodeAddress,
  setCuts,
} from "../line-cuts.ts";
