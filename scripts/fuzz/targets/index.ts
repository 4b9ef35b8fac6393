import { bodyOf, goldenFrames, pickByType, record } from "../recordings.ts";
import type { Target } from "../target.ts";
import { coreTarget } from "./core.ts";
import { snapshotFilesTarget, snapshotPiecesTarget, storageTarget } from "./disk.ts";
import { framesTarget } from "./frames.ts";
import { commandsTarget, sampleConfigurations, snapshotsTarget } from "./store.ts";
import { clusterFileTargets, commandLineTarget, daemonTargets, historyTarget } from "./texts.ts";
import { configurationTarget, entriesTarget, messagesTarget, sampleEntries } from "./wire.ts";

/** Everything that takes bytes from outside. */
export async function makeTargets(): Promise<Target[]> {
  const recordings = await record();
  const recorded = recordings.flatMap(({ frames }) => frames);
  const golden = goldenFrames();
  const hellos = goldenFrames("connection.json").map(bodyOf);
  return [
    framesTarget([golden.slice(0, 10), ...recordings.map(({ frames }) => frames.slice(0, 25))]),
    messagesTarget("messages", [...golden, ...pickByType(recorded)].map(bodyOf)),
    messagesTarget("hellos", hellos),
    entriesTarget([...sampleEntries(), ...goldenFrames("entries.json")]),
    configurationTarget([...sampleConfigurations(), ...goldenFrames("configurations.json")]),
    commandsTarget(),
    snapshotsTarget(),
    coreTarget(recordings),
    historyTarget(),
    ...daemonTargets(),
    ...clusterFileTargets(),
    commandLineTarget(),
    snapshotFilesTarget(),
    snapshotPiecesTarget(),
    await storageTarget(),
  ];
}
