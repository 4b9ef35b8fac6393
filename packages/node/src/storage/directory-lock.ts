import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { connect, createServer } from "node:net";
import type { Server, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { fromSystemError, StorageError } from "./storage-error.ts";
import type { DirectoryIdentity } from "./thread-messages.ts";

/** Kernels cut the path of a unix socket at 104 to 108 bytes. */
const SOCKET_PATH_MAX_BYTES = 100;

/** A holder that runs answers in less; one that was stopped (SIGSTOP) never does. */
const ANSWER_TIMEOUT_MS = 500;

const ANSWER_MAX_CHARACTERS = 1024;

/** Who has a data directory open, as it says itself. */
export interface LockHolder {
  readonly clusterId: string;
  readonly nodeId: string;
  readonly pid: number;
}

/**
 * What connecting to a directory's lock tells. `silent`: a process holds it and does not answer,
 * so it was stopped or is stuck. `free`: nobody listens.
 */
export type LockState =
  | { readonly kind: "held"; readonly holder: LockHolder }
  | { readonly kind: "silent" }
  | { readonly kind: "free" };

/**
 * Says who has a data directory open: a unix socket that answers each connection with one JSON
 * line. What excludes a second process is SQLite's lock on the database file, which the kernel
 * drops when the process dies. Only the holder of that lock makes or removes the socket, so a
 * socket left by a dead process can be replaced without a race.
 */
export class DirectoryLock {
  readonly #server: Server;
  readonly #connections: Set<Socket>;

  private constructor(server: Server, connections: Set<Socket>) {
    this.#server = server;
    this.#connections = connections;
  }

  /**
   * Listens on the directory's socket. Only with the database's exclusive lock.
   *
   * @throws StorageError `io` where the socket cannot be made.
   */
  static async announce(directory: string, identity: DirectoryIdentity): Promise<DirectoryLock> {
    const path = lockSocketPath(directory);
    const { clusterId, nodeId } = identity;
    const holder: LockHolder = { clusterId, nodeId, pid: process.pid };
    const connections = new Set<Socket>();
    const server = createServer((socket) => {
      connections.add(socket);
      socket.on("close", () => connections.delete(socket));
      socket.on("error", () => socket.destroy());
      socket.end(`${JSON.stringify(holder)}\n`);
    });
    server.unref();
    try {
      fs.rmSync(path, { force: true });
      await new Promise<void>((resolve, reject) => {
        server.once("error", reject);
        server.listen({ path }, resolve);
      });
    } catch (error) {
      throw fromSystemError(path, "listening on the directory's lock", error);
    }
    return new DirectoryLock(server, connections);
  }

  /** Removes the socket. Before the database's lock is given up: afterwards it is another's. */
  async release(): Promise<void> {
    for (const socket of this.#connections) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

/**
 * `lock` in the directory, or where that path is too long for a socket, a name made of its hash
 * in the runtime directory.
 */
function lockSocketPath(directory: string): string {
  const real = fs.realpathSync(directory);
  const inside = join(real, "lock");
  if (Buffer.byteLength(inside) < SOCKET_PATH_MAX_BYTES) return inside;
  const hash = createHash("sha256").update(real).digest("hex").slice(0, 24);
  const runtime = join(process.env["XDG_RUNTIME_DIR"] ?? tmpdir(), `quorate-${hash}.lock`);
  if (Buffer.byteLength(runtime) < SOCKET_PATH_MAX_BYTES) return runtime;
  return `/tmp/quorate-${hash}.lock`;
}

/** Asks the directory's lock who holds it. Takes 500 ms where the holder does not answer. */
export function readLock(directory: string): Promise<LockState> {
  return new Promise((resolve) => {
    let text = "";
    const socket = connect({ path: lockSocketPath(directory) });
    const settle = (state: LockState): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(state);
    };
    const timer = setTimeout(() => settle({ kind: "silent" }), ANSWER_TIMEOUT_MS);
    socket.setEncoding("utf8");
    socket.on("data", (chunk: string) => {
      text += chunk;
      if (text.length > ANSWER_MAX_CHARACTERS) settle({ kind: "silent" });
    });
    socket.on("end", () => settle(parseAnswer(text)));
    socket.on("error", () => settle({ kind: "free" }));
  });
}

/** The error of a directory whose database another process has locked. */
export async function lockedError(directory: string): Promise<StorageError> {
  const state = await readLock(directory);
  if (state.kind === "held") {
    const { nodeId, clusterId, pid } = state.holder;
    return locked(
      directory,
      `is in use by node ${nodeId} of cluster ${clusterId}, process ${pid}`,
      "Stop that node first, or give this one a directory of its own",
    );
  }
  if (state.kind === "silent") {
    return locked(
      directory,
      "is in use by a node that does not answer; it may be paused (SIGSTOP)",
      "Resume or stop that node first, or give this one a directory of its own",
    );
  }
  return locked(
    directory,
    "is in use: a program has its database open, or a node is starting or stopping on it",
    "Close that program (a SQLite tool?) or wait for that node, then try again",
  );
}

function locked(directory: string, verb: string, remedy: string): StorageError {
  return new StorageError({ code: "locked", subject: directory, verb, remedy });
}

function parseAnswer(text: string): LockState {
  try {
    const answer: unknown = JSON.parse(text);
    return isHolder(answer) ? { kind: "held", holder: answer } : { kind: "silent" };
  } catch (error) {
    if (error instanceof SyntaxError) return { kind: "silent" };
    throw error;
  }
}

function isHolder(value: unknown): value is LockHolder {
  if (typeof value !== "object" || value === null) return false;
  const { clusterId, nodeId, pid } = value as Partial<Record<keyof LockHolder, unknown>>;
  return typeof clusterId === "string" && typeof nodeId === "string" && typeof pid === "number";
}
