import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { NodeStatus } from "@quorate/wire";
import { QuorateClient } from "@quorate/wire/client";

const QUORATED = fileURLToPath(new URL("../../bin/quorated.js", import.meta.url));

interface Daemon {
  readonly id: string;
  readonly address: string;
  readonly dataDirectory: string;
  readonly logFile: string;
  process: ChildProcess | null;
  isPaused: boolean;
}

export interface DaemonsOptions {
  readonly size: number;
  /** Put before the program's own command line, e.g. strace and its flags. By node id. */
  readonly wrap?: Readonly<Record<string, readonly string[]>>;
  readonly flags?: readonly string[];
  readonly environment?: (id: string) => Readonly<Record<string, string>>;
}

/** Real `quorated` processes on loopback, from the built program. They end with the test. */
export class Daemons {
  readonly directory: string;
  readonly #daemons: Daemon[];
  readonly #options: DaemonsOptions;
  readonly #statusClient: QuorateClient;
  #madeCount: number;

  private constructor(directory: string, daemons: Daemon[], options: DaemonsOptions) {
    this.directory = directory;
    this.#daemons = daemons;
    this.#options = options;
    this.#madeCount = daemons.length;
    this.#statusClient = new QuorateClient({
      endpoints: this.endpoints,
      clientName: "test-status",
    });
  }

  /** Starts a new cluster and waits for its leader. */
  static async start(test: TestContext, options: DaemonsOptions): Promise<Daemons> {
    const directory = mkdtempSync(join(tmpdir(), "quorate-test-"));
    const ports = await freePorts(options.size);
    const daemons = ports.map((port, offset) => newDaemon(directory, `n${offset + 1}`, port));
    const cluster = new Daemons(directory, daemons, options);
    test.after(() => cluster.#end());
    for (const { id } of daemons) cluster.launch(id, ["--bootstrap"]);
    await cluster.leader();
    return cluster;
  }

  get ids(): string[] {
    return this.#daemons.map(({ id }) => id);
  }

  get endpoints(): string[] {
    return this.#daemons.map(({ address }) => address);
  }

  endpointOf(id: string): string {
    return this.#daemon(id).address;
  }

  dataDirectoryOf(id: string): string {
    return this.#daemon(id).dataDirectory;
  }

  logOf(id: string): string {
    return readFileSync(this.#daemon(id).logFile, "utf8");
  }

  pidOf(id: string): number {
    const { process: child } = this.#daemon(id);
    if (child?.pid === undefined) throw new Error(`${id} does not run`);
    return child.pid;
  }

  /** Starts a node that does not run. Returns at once. */
  launch(id: string, extraFlags: readonly string[] = []): void {
    const daemon = this.#daemon(id);
    const log = openSync(daemon.logFile, "a");
    const [program, ...args] = [
      ...(this.#options.wrap?.[id] ?? []),
      process.execPath,
      QUORATED,
      `--name=${id}`,
      `--data-dir=${daemon.dataDirectory}`,
      "--cluster-id=test",
      `--initial-cluster=${this.#daemons.map((one) => `${one.id}=${one.address}`).join(",")}`,
      ...(this.#options.flags ?? []),
      ...extraFlags,
    ];
    daemon.isPaused = false;
    daemon.process = spawn(program ?? process.execPath, args, {
      stdio: ["ignore", log, log],
      env: { ...process.env, ...this.#options.environment?.(id) },
    });
  }

  /** Starts a node of the next unused name, which waits to be added. Resolves when it answers. */
  async launchJoining(): Promise<{ readonly id: string; readonly address: string }> {
    const [port = 0] = await freePorts(1);
    this.#madeCount += 1;
    const daemon = newDaemon(this.directory, `n${this.#madeCount}`, port);
    this.#daemons.push(daemon);
    this.launch(daemon.id, ["--join"]);
    await eventually(`${daemon.id} to answer`, () => this.status(daemon.id).catch(() => null));
    return daemon;
  }

  /** Ends a node that was removed and forgets it: it is expected nowhere any more. */
  async retire(id: string): Promise<void> {
    const daemon = this.#daemon(id);
    if (daemon.process !== null) await this.end(id, "SIGTERM");
    this.#daemons.splice(this.#daemons.indexOf(daemon), 1);
  }

  /** SIGSTOP. */
  pause(id: string): void {
    this.signal(id, "SIGSTOP");
    this.#daemon(id).isPaused = true;
  }

  /** SIGCONT. */
  resume(id: string): void {
    this.signal(id, "SIGCONT");
    this.#daemon(id).isPaused = false;
  }

  /** Sends a signal to a node's process. For one that ends it, see {@link Daemons.end}. */
  signal(id: string, signal: NodeJS.Signals): void {
    process.kill(this.pidOf(id), signal);
  }

  /** Ends a node's process and waits until it is gone; gives its exit code or signal. */
  async end(id: string, signal: NodeJS.Signals = "SIGKILL"): Promise<number | NodeJS.Signals> {
    const daemon = this.#daemon(id);
    const child = daemon.process;
    if (child === null) throw new Error(`${id} does not run`);
    const ended = once(child, "exit");
    child.kill(signal);
    if (daemon.isPaused) child.kill("SIGCONT");
    const [code, by] = (await ended) as [number | null, NodeJS.Signals | null];
    daemon.process = null;
    return code ?? by ?? "SIGKILL";
  }

  status(id: string): Promise<NodeStatus> {
    return this.#statusClient.status(this.endpointOf(id));
  }

  /** Waits until a running node leads, and gives its id: of several, that of the newest term. */
  leader(): Promise<string> {
    return eventually("a leader", async () => {
      const leaders = (await this.statuses()).filter(({ role }) => role === "leader");
      const newest = leaders.toSorted((one, other) => other.currentTerm - one.currentTerm)[0];
      return newest?.nodeId ?? null;
    });
  }

  /** Waits until all nodes are up and have applied the same, the leader's, log. */
  converged(): Promise<NodeStatus[]> {
    return eventually("all nodes to agree", async () => {
      const statuses = await this.statuses();
      const leader = statuses.find(({ role }) => role === "leader");
      const agree = statuses.every(
        ({ lastApplied }) => leader !== undefined && lastApplied === leader.lastLogIndex,
      );
      return agree && statuses.length === this.#daemons.length ? statuses : null;
    });
  }

  /** Waits until all nodes are up and close to the leader's log, under writes. */
  async allCaughtUp(lagMax = 50): Promise<void> {
    await eventually("all nodes to catch up", async () => {
      const statuses = await this.statuses();
      const leader = statuses.find(({ role }) => role === "leader");
      if (leader === undefined || statuses.length < this.#daemons.length) return null;
      const behind = leader.peers.some(
        ({ matchIndex }) => leader.lastLogIndex - (matchIndex ?? 0) > lagMax,
      );
      return behind ? null : true;
    });
  }

  /** What every running node that is not paused says of itself. */
  async statuses(): Promise<NodeStatus[]> {
    const running = this.#daemons.filter((one) => one.process !== null && !one.isPaused);
    const answers = await Promise.allSettled(running.map(({ id }) => this.status(id)));
    return answers.flatMap((answer) => (answer.status === "fulfilled" ? [answer.value] : []));
  }

  #daemon(id: string): Daemon {
    const daemon = this.#daemons.find((one) => one.id === id);
    if (daemon === undefined) throw new Error(`no node ${id}`);
    return daemon;
  }

  async #end(): Promise<void> {
    await this.#statusClient.close();
    for (const { id, process: child } of this.#daemons) {
      if (child !== null && child.exitCode === null && child.signalCode === null)
        await this.end(id);
    }
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Asks again until there is an answer; fails after `timeoutMs`. */
export async function eventually<T>(
  what: string,
  ask: () => Promise<T | null> | T | null,
  timeoutMs = 20_000,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  while (performance.now() < deadline) {
    const answer = await ask();
    if (answer !== null) return answer;
    await pause(10);
  }
  throw new Error(`waited ${timeoutMs} ms for ${what}`);
}

function newDaemon(directory: string, id: string, port: number): Daemon {
  return {
    id,
    address: `127.0.0.1:${port}`,
    dataDirectory: join(directory, id),
    logFile: join(directory, `${id}.log`),
    process: null,
    isPaused: false,
  };
}

/** Ports that nobody listened on a moment ago. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const ports = servers.map((server) => {
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    return address.port;
  });
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  return ports;
}
