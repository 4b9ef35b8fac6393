import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** What the operating system says about a process that exists. */
export interface ProcessObservation {
  /**
   * When the process started, in the system's own words: with the pid it names one process for
   * ever, while a pid alone is given to another program later.
   */
  readonly startTime: string;
  /** Stopped by a signal (SIGSTOP): it answers nobody, and keeps its sockets and its locks. */
  readonly paused: boolean;
}

function readOrNull(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}

function observeLinux(pid: number): ProcessObservation | null {
  const text = readOrNull(`/proc/${pid}/stat`);
  if (text === null) return null;
  // The second field, the program's name, may hold spaces and parentheses: count from its end.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const state = fields[0];
  const startTicks = fields[19];
  if (startTicks === undefined || state === "Z" || state === "X") return null;
  // Ticks count from the boot: the boot's id keeps them apart from those before a reboot.
  const systemBoot = readOrNull("/proc/sys/kernel/random/boot_id")?.trim() ?? "";
  return { startTime: `${systemBoot}/${startTicks}`, paused: state === "T" || state === "t" };
}

function observeWithPs(pid: number): ProcessObservation | null {
  let text: string;
  try {
    text = execFileSync("ps", ["-o", "stat=,lstart=", "-p", String(pid)], {
      encoding: "utf8",
      env: { ...process.env, LC_ALL: "C" },
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  } catch {
    return null;
  }
  const [state, ...startTime] = text.split(/\s+/u);
  if (state === undefined || startTime.length === 0 || state.startsWith("Z")) return null;
  return { startTime: startTime.join(" "), paused: state.startsWith("T") };
}

/** Looks at a process; null where there is none (a zombie is none: it runs nothing any more). */
export function observeProcess(pid: number): ProcessObservation | null {
  return process.platform === "linux" ? observeLinux(pid) : observeWithPs(pid);
}

/** A process as it was noted when it started. */
export interface NotedProcess {
  readonly pid: number;
  readonly startTime: string;
}

/** Whether the noted process is still the one under its pid, and how it does. */
export type ProcessState = "running" | "paused" | "gone" | "recycled";

export function stateOfProcess(noted: NotedProcess): ProcessState {
  const observed = observeProcess(noted.pid);
  if (observed === null) return "gone";
  if (observed.startTime !== noted.startTime) return "recycled";
  return observed.paused ? "paused" : "running";
}

/**
 * Sends a signal to the noted process, if it still is that process.
 * Returns false, and signals nobody, where it is gone or its pid belongs to another program.
 */
export function signalProcess(noted: NotedProcess, signal: NodeJS.Signals): boolean {
  const state = stateOfProcess(noted);
  if (state === "gone" || state === "recycled") return false;
  try {
    return process.kill(noted.pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
    throw error;
  }
}
