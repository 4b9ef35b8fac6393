import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { createServer } from "node:net";

/** Whether nothing listens on the port: asked by listening on it for a moment. */
function isPortFree(host: string, port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EADDRINUSE" || error.code === "EACCES") resolve(false);
      else reject(error);
    });
    probe.listen({ host, port, exclusive: true }, () => {
      probe.close(() => resolve(true));
    });
  });
}

/** The first of `ports` that is taken, or null. */
export async function firstTakenPort(
  host: string,
  ports: readonly number[],
): Promise<number | null> {
  const free = await Promise.all(ports.map((port) => isPortFree(host, port)));
  return ports.find((_port, offset) => free[offset] === false) ?? null;
}

const PORT_MAX = 65_535;

/** The first base port from `fromPort` on, in steps of 100, with `count` free ports after it. */
export async function findFreeBasePort(
  host: string,
  count: number,
  fromPort: number,
): Promise<number | null> {
  for (let base = fromPort; base + count - 1 <= PORT_MAX; base += 100) {
    const ports = Array.from({ length: count }, (_unused, offset) => base + offset);
    if ((await firstTakenPort(host, ports)) === null) return base;
  }
  return null;
}

/** The first free port from `fromPort` on; null: there is none. */
export async function findFreePort(host: string, fromPort: number): Promise<number | null> {
  for (let port = fromPort; port <= PORT_MAX; port += 1) {
    // One after the other: the first is free nearly always.
    if (await isPortFree(host, port)) return port;
  }
  return null;
}

/** A program that listens on a port. */
export interface PortOwner {
  readonly pid: number;
  readonly program: string;
}

const LISTENING = "0A";

function listeningInodes(port: number): Set<string> {
  const inodes = new Set<string>();
  const portHex = port.toString(16).toUpperCase().padStart(4, "0");
  for (const path of ["/proc/net/tcp", "/proc/net/tcp6"]) {
    for (const line of readLines(path)) {
      const fields = line.trim().split(/\s+/u);
      const inode = fields[9];
      const listens = fields[3] === LISTENING && fields[1]?.endsWith(`:${portHex}`) === true;
      if (listens && inode !== undefined) inodes.add(`socket:[${inode}]`);
    }
  }
  return inodes;
}

function readLines(path: string): string[] {
  try {
    return readFileSync(path, "utf8").split("\n");
  } catch {
    return [];
  }
}

function holdsSocket(pid: string, sockets: ReadonlySet<string>): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((descriptor) => {
      try {
        return sockets.has(readlinkSync(`/proc/${pid}/fd/${descriptor}`));
      } catch {
        return false;
      }
    });
  } catch {
    return false;
  }
}

/** Who listens on the port; null where the system does not tell (another user's, not Linux). */
export function findPortOwner(port: number): PortOwner | null {
  if (process.platform !== "linux") return null;
  const sockets = listeningInodes(port);
  if (sockets.size === 0) return null;
  const pid = readdirSync("/proc").find(
    (name) => /^\d+$/u.test(name) && holdsSocket(name, sockets),
  );
  if (pid === undefined) return null;
  const program = readLines(`/proc/${pid}/comm`)[0] ?? "";
  return { pid: Number(pid), program: program === "" ? "a program" : program };
}
