import { CLOCKS } from "./faults/clock.ts";
import { CORRUPTIONS } from "./faults/corrupt.ts";
import { DISK_ERRORS, SLOW_DISKS } from "./faults/disk.ts";
import { DISKS_FULL } from "./faults/disk-full.ts";
import type { Fault } from "./faults/fault.ts";
import { KILLS } from "./faults/kill.ts";
import { DELAYS, LOSSES, PARTITIONS } from "./faults/links.ts";
import { MEMBER_CHANGES } from "./faults/members.ts";
import { PAUSES } from "./faults/pause.ts";

/** Every fault there is. */
export const FAULTS: readonly Fault[] = [
  ...KILLS,
  ...PAUSES,
  ...PARTITIONS,
  ...LOSSES,
  ...DELAYS,
  ...SLOW_DISKS,
  ...DISK_ERRORS,
  ...DISKS_FULL,
  ...CORRUPTIONS,
  ...CLOCKS,
  ...MEMBER_CHANGES,
];
