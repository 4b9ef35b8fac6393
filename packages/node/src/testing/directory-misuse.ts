import { configurationOf } from "@quorate/wire";
import { bootstrapDirectory } from "../storage/bootstrap-directory.ts";
import { StorageError } from "../storage/storage-error.ts";
import { StorageLoop } from "../storage/storage-loop.ts";
import { requireInvariant } from "./invariant-violation.ts";
import type { SqliteDirectory } from "./sqlite-directory.ts";

/** A second process is started on a directory that is in use: it must be refused (rule 60). */
export function requireNoSecondProcess({ databasePath, label }: SqliteDirectory): void {
  let said = "nothing";
  const second = new StorageLoop(
    {
      report: (report) => {
        if (report.kind === "refused") said = report.error.code;
        else if (report.kind === "opened") said = "opened";
      },
      takeWaiting: () => null,
      after: () => ({ cancel: () => undefined }),
    },
    { databasePath, expect: {}, sizeMaxBytes: null },
  );
  second.open();
  requireInvariant(
    said === "locked",
    "Storage As Modelled",
    () => `${label} is in use, and a second process hears: ${said}, not locked`,
  );
}

/** Somebody bootstraps a directory again, which is not in use now (rule 38). */
export function requireNoSecondBootstrap({ folder, nodeId, label }: SqliteDirectory): void {
  let said = "done";
  try {
    bootstrapDirectory({
      directory: folder,
      clusterId: "sim",
      nodeId,
      configuration: configurationOf({ voters: [] }),
      addresses: new Map(),
    });
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
    said = error.code;
  }
  requireInvariant(
    said === "alreadyBootstrapped",
    "Storage As Modelled",
    () => `${label} is bootstrapped again, and the answer is: ${said}`,
  );
}
