/**
 * The deterministic simulator: whole clusters of the real driver, core, codec and state machine
 * in simulated time, on simulated networks and disks, with every invariant checked after every
 * event. Equal seeds give equal runs.
 */
export type { FailedSeed, FailureOrigin, SeedOutcome } from "./campaign.ts";
export { Campaign, describeFailure, EFFECTIVE_SEEDS_MIN, replayCommand } from "./campaign.ts";
export type { Canary } from "./canaries.ts";
export { blindSpots, CANARIES } from "./canaries.ts";
export { CANARY } from "./canary.ts";
export type { CoverageCounts, CoverageMark } from "./coverage.ts";
export { Coverage, COVERAGE_MARKS } from "./coverage.ts";
export type { Invariant } from "./invariant-violation.ts";
export { INVARIANTS, InvariantViolation } from "./invariant-violation.ts";
export type { Dispensable, PlanOverrides, SizeName } from "./plan-overrides.ts";
export {
  DISPENSABLE,
  isDispensable,
  isFabric,
  isStorageKind,
  SIZE_MINIMA,
} from "./plan-overrides.ts";
export type { Fabric, StorageKind } from "./simulation-plan.ts";
export { SeededRandom } from "./seeded-random.ts";
export type { CrashableStorage, NodeParts } from "./sim-life.ts";
export type { FailingRun, Shrunk, ShrinkOptions } from "./shrink.ts";
export { shrinkFailure } from "./shrink.ts";
export { SimDisk } from "./sim-disk.ts";
export { SimProcess } from "./sim-process.ts";
export type { SimSnapshotStoreOptions } from "./sim-snapshot-store.ts";
export { SimSnapshotStore } from "./sim-snapshot-store.ts";
export { SimScheduler } from "./sim-scheduler.ts";
export type { DiskSpeed, SimStorageContext } from "./sim-storage.ts";
export { SimStorage } from "./sim-storage.ts";
export type { SimulationFailure, SimulationOptions, SimulationResult } from "./simulation.ts";
export { simulate } from "./simulation.ts";
export { makeSimulationFolder, removeOwnSimulationFolders } from "./simulation-folder.ts";
