import { spawn } from "node:child_process";
import { runCommand, mustRun } from "./run-command.ts";

/**
 * The run of a rig in namespaces of its own: network, mounts and processes. Nothing outside of
 * them is changed, and when the last process of them is gone, however it ended, the kernel takes
 * back everything: interfaces, firewall rules, mounts and nodes.
 */
const INSIDE = "QUORATE_CHAOS_INSIDE";

const PROCESSES = ["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];
/** For those who are not root: be root of a user namespace. */
const AS_USER = ["--user", "--map-root-user"];
const OWN_RUN = "mount -t tmpfs tmpfs /run && mkdir /run/netns";
const OWN_LOOPBACK = "ip link set lo up";

/** How much of a machine of its own a run has. `network`: its own interfaces, and all the rest. */
type Isolation = "network" | "mounts";

const ISOLATIONS = [
  { isolation: "network", flags: ["--net", ...PROCESSES], needs: `${OWN_RUN} && ${OWN_LOOPBACK}` },
  { isolation: "mounts", flags: PROCESSES, needs: OWN_RUN },
] as const;

export interface IsolatedRun {
  readonly exitCode: Promise<number>;
  /** Asks the run to heal, to say what it saw so far, and to end. */
  readonly stop: () => void;
}

/** What `unshare` can do here: its arguments, and what they give. Null: nothing, and why. */
interface FoundIsolation {
  readonly found: { readonly args: readonly string[]; readonly isolation: Isolation } | null;
  readonly why: string;
}

/** Tries what this system lets its users have, the most first. */
export async function findIsolation(): Promise<FoundIsolation> {
  let why = "";
  for (const { isolation, flags, needs } of ISOLATIONS) {
    for (const args of [flags, [...AS_USER, ...flags]]) {
      const { code, output } = await runCommand("unshare", [...args, "sh", "-c", needs]);
      if (code === 0) return { found: { args, isolation }, why: "" };
      why = output.split("\n")[0] ?? "";
    }
  }
  return { found: null, why: `no namespaces: ${why}` };
}

/** Runs this program again inside of new namespaces, with the same arguments. */
export function runInside(
  { args, isolation }: NonNullable<FoundIsolation["found"]>,
  script: string,
): IsolatedRun {
  const command = [process.execPath, ...process.execArgv, script, ...process.argv.slice(2)];
  const child = spawn("unshare", [...args, ...command], {
    stdio: ["inherit", "inherit", "inherit", "ipc"],
    env: { ...process.env, [INSIDE]: isolation },
  });
  const exitCode = new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => {
      resolve(code ?? 1);
    });
  });
  return {
    exitCode,
    stop: () => {
      if (child.connected) child.send?.("stop");
    },
  };
}

/** Whether this process runs in namespaces of its own. */
export function isInside(): boolean {
  return process.env[INSIDE] !== undefined;
}

/** Whether its network is its own too: what is done to that is done to nothing else. */
export function hasOwnNetwork(): boolean {
  return process.env[INSIDE] === "network";
}

/** Calls back when the process that started this one, by a channel, asks to stop, or is gone. */
export function onOutsideStop(stop: () => void): void {
  if (!process.connected) return;
  process.once("message", stop);
  process.once("disconnect", stop);
}

/** Lets go of the process that started this one, so that this one may end. */
export function leaveOutside(): void {
  process.removeAllListeners("disconnect");
  if (process.connected) process.disconnect?.();
}

/** Prepares the new namespaces: `/run`, where named ones are noted, and the loopback. */
export async function settleInside(): Promise<void> {
  await mustRun("sh", ["-c", OWN_RUN]);
  if (hasOwnNetwork()) await mustRun("sh", ["-c", OWN_LOOPBACK]);
}
