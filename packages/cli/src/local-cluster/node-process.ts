import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { closeSync, existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { CommandError } from "../errors.ts";
import type { ClusterFile, LocalNode } from "./cluster-file.ts";
import { addressOf } from "./cluster-file.ts";
import { failuresIn, nodeLogPath, openNodeLog, readLogTail } from "./node-log.ts";
import { observeProcess } from "./process-identity.ts";
import type { RunFile } from "./run-file.ts";
import { writeRunFile } from "./run-file.ts";
import { makePrivateDirectory } from "./state-directory.ts";

/** A node's process that this command has just started. */
export interface SpawnedNode {
  readonly run: RunFile;
  /** Rejects with what the log says when the process ends; never resolves. */
  readonly exited: Promise<never>;
}

/** Of the daemon: its port or its folder is held by another process, or of another cluster. */
const CONFLICT_EXIT_CODE = 9;

function daemonPath(): string {
  return fileURLToPath(import.meta.resolve("@quorate/node/quorated"));
}

/** Whether the node has never written anything durable. */
function isDataEmpty(dataDirectory: string): boolean {
  return !existsSync(dataDirectory) || readdirSync(dataDirectory).length === 0;
}

function daemonArguments(cluster: ClusterFile, node: LocalNode, dataDirectory: string): string[] {
  const members = cluster.nodes.map((member) => `${member.id}=${addressOf(member)}`);
  const flags = [
    ["--name", node.id],
    ["--data-dir", dataDirectory],
    ["--cluster-id", cluster.clusterId],
    ["--initial-cluster", members.join(",")],
    // A cluster on one machine is for trials: its lines may be cut.
    ["--allow-faults"],
  ].flat();
  if (!isDataEmpty(dataDirectory)) return flags;
  return [...flags, node.joining ? "--join" : "--bootstrap"];
}

/** Whether a node that has run has nothing left of what it wrote. */
export function isDataLost(cluster: ClusterFile, node: LocalNode, dataDirectory: string): boolean {
  return cluster.bootstrapped && !node.joining && isDataEmpty(dataDirectory);
}

/**
 * Refuses to start a node whose data was deleted after it had run: it may have voted and
 * acknowledged entries that it would not know of any more (Raft §5.2, §5.4).
 */
function checkDataIsThere(cluster: ClusterFile, node: LocalNode, dataDirectory: string): void {
  if (!isDataLost(cluster, node, dataDirectory)) return;
  throw new CommandError("failed", `the data of ${node.id} is gone: ${dataDirectory} is empty`, {
    why: [
      "a node that forgot its votes and its log must not come back under its old name",
      "the others can go on without it: replace it by a new node that they send everything to",
    ],
    try: [
      `quorate member replace ${node.id}`,
      `quorate up --fresh --name ${cluster.name}   (deletes all data)`,
    ],
  });
}

/**
 * Starts `quorated` in a session of its own, so that neither the end of this command nor a Ctrl-C
 * reaches it, with its output in the node's log, and notes pid and start time in `run.json`.
 */
export function spawnNode(
  cluster: ClusterFile,
  node: LocalNode,
  nodeDirectory: string,
): SpawnedNode {
  const dataDirectory = join(nodeDirectory, "data");
  checkDataIsThere(cluster, node, dataDirectory);
  makePrivateDirectory(nodeDirectory);
  const log = openNodeLog(nodeDirectory);
  let child: ChildProcess;
  try {
    const flags = daemonArguments(cluster, node, dataDirectory);
    child = spawn(process.execPath, [daemonPath(), ...flags], {
      cwd: nodeDirectory,
      detached: true,
      stdio: ["ignore", log, log],
    });
  } finally {
    closeSync(log);
  }
  child.unref();
  const run = noteProcess(child, node, nodeDirectory);
  const exited = rejectAtExit(child, node, nodeDirectory);
  return { run, exited };
}

function noteProcess(child: ChildProcess, node: LocalNode, nodeDirectory: string): RunFile {
  const { pid } = child;
  if (pid === undefined) {
    throw new CommandError("failed", `${node.id} could not be started`, {
      why: [`${process.execPath} cannot be run`],
    });
  }
  const run: RunFile = {
    pid,
    startTime: observeProcess(pid)?.startTime ?? "ended at once",
    bootId: null,
    address: addressOf(node),
    softwareVersion: null,
    startedAt: new Date().toISOString(),
    lastExit: null,
  };
  writeRunFile(nodeDirectory, run);
  return run;
}

function rejectAtExit(child: ChildProcess, node: LocalNode, nodeDirectory: string): Promise<never> {
  const exited = new Promise<never>((_resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) => {
      const ending = signal === null ? `ended with code ${code ?? 0}` : `was ended by ${signal}`;
      const reason = code === CONFLICT_EXIT_CODE ? "localConflict" : "failed";
      reject(
        new CommandError(reason, `${node.id} ${ending} while starting`, {
          why: failuresIn(readLogTail(nodeLogPath(nodeDirectory), 20).lines),
          try: [`quorate logs ${node.id}`],
        }),
      );
    });
  });
  // Whoever does not wait for it any more must not be told.
  exited.catch(() => undefined);
  return exited;
}
