import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import type { NodeId } from "@quorate/wire";

import { CommandError } from "../errors.ts";
import type { ClusterFile, LocalNode } from "./cluster-file.ts";
import { addressOf, readClusterFile, writeClusterFile } from "./cluster-file.ts";
import { greetUntilReady } from "./greeting.ts";
import { nodeLogPath } from "./node-log.ts";
import { isDataLost, spawnNode } from "./node-process.ts";
import type { NotedProcess } from "./process-identity.ts";
import { signalProcess, stateOfProcess } from "./process-identity.ts";
import type { RunFile } from "./run-file.ts";
import { readRunFile, writeRunFile } from "./run-file.ts";
import { removeIfEmpty } from "./state-directory.ts";

/** `down`: no process of ours runs for the node. `paused`: stopped by SIGSTOP. */
export type LocalNodeState = "running" | "paused" | "down";

/** A node of a local cluster, as the files and the operating system tell of it now. */
export interface LocalNodeReport {
  readonly id: NodeId;
  readonly address: string;
  readonly port: number;
  readonly state: LocalNodeState;
  /** Null while it is down. */
  readonly pid: number | null;
  /** The process that was started last, running or not; null before the first start. */
  readonly run: RunFile | null;
  /** Whether the pid of the last process belongs to another program by now. */
  readonly pidRecycled: boolean;
  /** Its data was deleted after it had run: under this name it must not come back (Raft §5.2). */
  readonly dataLost: boolean;
  readonly dataDirectory: string;
  readonly logPath: string;
}

const EXIT_POLL_MS = 10;
/** A SIGKILL ends a process at once, unless the kernel holds it in a disk operation. */
const KILL_WAIT_MS = 10_000;

/**
 * A cluster of processes on this machine. Nothing is remembered between calls: every one reads
 * the files and asks the operating system, so several commands may work side by side.
 */
export class LocalCluster {
  #file: ClusterFile;
  readonly #stateRoot: string;

  constructor(stateRoot: string, file: ClusterFile) {
    this.#stateRoot = stateRoot;
    this.#file = file;
  }

  /** The cluster of that name; null where there is none. */
  static open(stateRoot: string, name: string): LocalCluster | null {
    const file = readClusterFile(stateRoot, name);
    return file === null ? null : new LocalCluster(stateRoot, file);
  }

  get file(): ClusterFile {
    return this.#file;
  }

  get name(): string {
    return this.file.name;
  }

  get stateRoot(): string {
    return this.#stateRoot;
  }

  nodes(): LocalNodeReport[] {
    return this.file.nodes.map((node) => this.node(node.id));
  }

  /** @throws CommandError `notFound` for a name that is no node's. */
  node(id: NodeId): LocalNodeReport {
    const node = this.#nodeOf(id);
    const directory = this.#directoryOf(id);
    const run = readRunFile(directory);
    const dataDirectory = join(directory, "data");
    const process = run === null ? "gone" : stateOfProcess(run);
    const alive = process === "running" || process === "paused";
    return {
      id,
      address: addressOf(node),
      port: node.port,
      state: alive ? process : "down",
      pid: alive && run !== null ? run.pid : null,
      run,
      pidRecycled: process === "recycled",
      dataLost: isDataLost(this.#file, node, dataDirectory),
      dataDirectory,
      logPath: nodeLogPath(directory),
    };
  }

  /**
   * Starts a node that is down, with its old data and port; resolves when it answers a hello.
   *
   * @throws CommandError `failed` with the log's last lines when it does not get there.
   */
  async start(id: NodeId, readyTimeoutMs: number, signal: AbortSignal | null): Promise<RunFile> {
    const node = this.#nodeOf(id);
    const directory = this.#directoryOf(id);
    const { run, exited } = spawnNode(this.file, node, directory);
    const target = { address: addressOf(node), clusterId: this.file.clusterId, nodeId: id };
    const ended = new AbortController();
    const giveUp = signal === null ? ended.signal : AbortSignal.any([signal, ended.signal]);
    const ready = greetUntilReady(target, performance.now() + readyTimeoutMs, giveUp);
    const hello = await Promise.race([ready, exited])
      .catch((error: unknown) => {
        if (error instanceof CommandError || signal?.aborted === true) throw error;
        throw new CommandError("failed", `${id} (pid ${run.pid}) does not answer on its port`, {
          why: [error instanceof Error ? error.message : String(error)],
          try: [`quorate logs ${id}`],
          cause: error,
        });
      })
      .finally(() => ended.abort());
    const known = { ...run, bootId: hello.bootId, softwareVersion: hello.softwareVersion };
    writeRunFile(directory, known);
    if (node.joining) this.#write({ nodes: this.#nodesWith({ ...node, joining: false }) });
    return known;
  }

  /** Takes a running process for the node's: one that was started and never noted. */
  adopt(id: NodeId, run: RunFile): void {
    writeRunFile(this.#directoryOf(id), run);
  }

  /**
   * Signals the node's process, after a look at its pid and start time.
   * Returns the process that was signalled; null where it was not running: nobody was signalled.
   */
  signal(id: NodeId, signal: NodeJS.Signals): NotedProcess | null {
    const { run } = this.node(id);
    return run !== null && signalProcess(run, signal) ? run : null;
  }

  /** Resolves with true when the process is gone, with false after `timeoutMs`. */
  async waitUntilGone(noted: NotedProcess, timeoutMs: number): Promise<boolean> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const state = stateOfProcess(noted);
      if (state === "gone" || state === "recycled") return true;
      if (performance.now() > deadline) return false;
      // Only a parent is told of the end of a process.
      await sleep(EXIT_POLL_MS);
    }
  }

  /** SIGKILL; resolves when the process is gone. Null where none was running. */
  async kill(id: NodeId, reason: string): Promise<NotedProcess | null> {
    const noted = this.signal(id, "SIGKILL");
    if (noted === null) return null;
    await this.#expectGone(id, noted);
    this.noteExit(id, noted, `SIGKILL by ${reason}`);
    return noted;
  }

  /**
   * SIGTERM, and SIGKILL for what still runs after `graceMs`. Returns how the process ended; null
   * where none was running. A paused process is resumed: it could not stop gracefully otherwise.
   */
  async stop(id: NodeId, graceMs: number, reason: string): Promise<"stopped" | "killed" | null> {
    const noted = this.signal(id, "SIGTERM");
    if (noted === null) return null;
    this.signal(id, "SIGCONT");
    if (await this.waitUntilGone(noted, graceMs)) {
      this.noteExit(id, noted, `SIGTERM by ${reason}`);
      return "stopped";
    }
    signalProcess(noted, "SIGKILL");
    await this.#expectGone(id, noted);
    this.noteExit(id, noted, `SIGKILL by ${reason}, ${graceMs} ms after SIGTERM`);
    return "killed";
  }

  /** Writes down why the process ended, unless another one was started meanwhile. */
  noteExit(id: NodeId, noted: NotedProcess, reason: string): void {
    const directory = this.#directoryOf(id);
    const run = existsSync(directory) ? readRunFile(directory) : null;
    if (run === null || run.pid !== noted.pid || run.startTime !== noted.startTime) return;
    writeRunFile(directory, { ...run, lastExit: { at: new Date().toISOString(), reason } });
  }

  /** Notes that every node has run once: none is bootstrapped from an empty folder any more. */
  noteBootstrapped(): void {
    this.#write({ bootstrapped: true });
  }

  /** Reads `cluster.json` again: after waiting for the lock, another command may have changed it. */
  reload(): void {
    this.#file = readClusterFile(this.#stateRoot, this.name) ?? this.#file;
  }

  /** Takes up a node that is to join. The caller holds the cluster's lock. */
  addNode(node: LocalNode): void {
    this.#write({ nodes: this.#nodesWith(node) });
  }

  /**
   * Forgets a node whose process is gone; its name is never used again if it `wasMember`. Its logs
   * and its data stay unless `purge` is set. The caller holds the cluster's lock.
   */
  removeNode(id: NodeId, how: { readonly wasMember: boolean; readonly purge: boolean }): void {
    const removedIds = how.wasMember ? [...this.#file.removedIds, id] : this.#file.removedIds;
    if (how.purge) rmSync(this.#directoryOf(id), { recursive: true, force: true });
    this.#write({ nodes: this.#file.nodes.filter((node) => node.id !== id), removedIds });
  }

  /** Whether something of a node of that name is on the disk: its logs or its data. */
  hasTracesOf(id: NodeId): boolean {
    return existsSync(this.#directoryOf(id));
  }

  #nodesWith(changed: LocalNode): LocalNode[] {
    const others = this.#file.nodes.filter((node) => node.id !== changed.id);
    return [...others, changed].toSorted((left, right) =>
      left.id.localeCompare(right.id, "en", { numeric: true }),
    );
  }

  #write(changes: Partial<ClusterFile>): void {
    this.#file = { ...this.#file, ...changes };
    writeClusterFile(this.#stateRoot, this.#file);
  }

  /** Deletes logs, data and the cluster's own file. Its processes must be gone. */
  delete(): void {
    const left = this.nodes().filter((node) => node.state !== "down");
    if (left.length > 0) {
      throw new CommandError("failed", `${left.map(({ id }) => id).join(", ")} still run`, {
        try: [`quorate down --name ${this.name}`],
      });
    }
    for (const id of [...this.file.nodes.map((node) => node.id), ...this.file.removedIds]) {
      rmSync(this.#directoryOf(id), { recursive: true, force: true });
    }
    removeIfEmpty(join(this.file.directory, "nodes"));
    rmSync(join(this.#stateRoot, this.name), { recursive: true, force: true });
    removeIfEmpty(this.file.directory);
  }

  async #expectGone(id: NodeId, noted: NotedProcess): Promise<void> {
    if (await this.waitUntilGone(noted, KILL_WAIT_MS)) return;
    throw new CommandError("failed", `${id} (pid ${noted.pid}) survives SIGKILL`, {
      why: ["the kernel holds it, in a disk operation most likely"],
      try: [`ps -o pid,stat,wchan -p ${noted.pid}`],
    });
  }

  #nodeOf(id: NodeId): LocalNode {
    const node = this.file.nodes.find((member) => member.id === id);
    if (node !== undefined) return node;
    const ids = this.file.nodes.map((member) => member.id).join(", ");
    throw new CommandError("notFound", `cluster "${this.name}" has no node "${id}"`, {
      why: [`its nodes are ${ids}`],
      try: ["quorate ps"],
    });
  }

  #directoryOf(id: NodeId): string {
    return join(this.file.directory, "nodes", id);
  }
}
