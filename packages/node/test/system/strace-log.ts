import type { WireMessage } from "@quorate/wire";
import { decodeBody, FRAME_BODY_MAX_BYTES, FrameDecoder } from "@quorate/wire";

const RECEIVING = new Set(["read", "readv", "recvfrom", "recvmsg"]);
const SENDING = new Set(["write", "writev", "sendto", "sendmsg"]);
const SYNCING = new Set(["fsync", "fdatasync"]);

/** Calls that change files and folders. */
export const CHANGING: readonly string[] = [
  "pwrite64",
  "pwritev",
  "ftruncate",
  "fallocate",
  "rename",
  "renameat",
  "renameat2",
  "unlink",
  "unlinkat",
  "mkdir",
  "mkdirat",
  "rmdir",
  "link",
  "linkat",
];

/**
 * strace's flags: all threads, strings whole and in hexadecimal. Put before the program, which
 * stays the direct child (`-D`), so that signals reach it. `more`: further calls to trace.
 */
export function straceCommand(logFile: string, more: readonly string[] = []): string[] {
  const connections = ["openat", "close", "accept4", "socket"];
  const traced = [...RECEIVING, ...SENDING, ...SYNCING, ...connections, ...more];
  const filter = `trace=${traced.join(",")}`;
  return ["strace", "-D", "-f", "-xx", "-s", "4000000", "-e", filter, "-o", logFile];
}

/** One thing that a process did, in the order of the log's lines. */
export type TracedEvent =
  | { readonly kind: "received" | "sent"; readonly line: number; readonly message: WireMessage }
  /** A sync of the write-ahead log that succeeded. */
  | { readonly kind: "synced"; readonly startLine: number; readonly line: number };

/** One call to the system, as far as it is of use here. */
export interface Call {
  readonly name: string;
  /** The first argument where it is a number. */
  readonly fd: number;
  /** What follows it, as strace writes it. */
  readonly args: string;
  readonly result: number;
  readonly startLine: number;
  readonly endLine: number;
}

/** Whether the log holds all that the process `pid` did to its end. */
export function isComplete(log: string, pid: number): boolean {
  return new RegExp(`^${pid} +\\+\\+\\+ (exited|killed)`, "mu").test(log);
}

/** Reads the messages that went over sockets, and the syncs of `*-wal`, out of a strace log. */
export function tracedEvents(log: string): TracedEvent[] {
  const events: TracedEvent[] = [];
  const sockets = new Map<number, { in: FrameDecoder; out: FrameDecoder }>();
  const walFds = new Set<number>();
  for (const call of calls(log)) {
    if (call.name === "openat") {
      if (stringsOf(call.args).at(-1)?.toString().endsWith("-wal") === true)
        walFds.add(call.result);
    } else if (call.name === "accept4" || call.name === "socket") {
      const decoder = (): FrameDecoder => new FrameDecoder(FRAME_BODY_MAX_BYTES);
      sockets.set(call.result, { in: decoder(), out: decoder() });
    } else if (call.name === "close") {
      sockets.delete(call.fd);
      walFds.delete(call.fd);
    } else if (SYNCING.has(call.name)) {
      if (!walFds.has(call.fd) || call.result !== 0) continue;
      events.push({ kind: "synced", startLine: call.startLine, line: call.endLine });
    } else {
      const socket = sockets.get(call.fd);
      if (socket === undefined || call.result <= 0) continue;
      const bytes = Buffer.concat(stringsOf(call.args)).subarray(0, call.result);
      // A promise is out from the moment that its call begins; a request is there when it ends.
      const isSending = SENDING.has(call.name);
      const line = isSending ? call.startLine : call.endLine;
      (isSending ? socket.out : socket.in).push(bytes, (body) => {
        events.push({ kind: isSending ? "sent" : "received", line, message: decodeBody(body) });
      });
    }
  }
  return events.toSorted((a, b) => a.line - b.line);
}

const WHOLE = /^(\d+) +(\w+)\((\d*)(.*)\) += (-?\d+)/u;
const UNFINISHED = /^(\d+) +(\w+)\((\d*)(.*) <unfinished \.\.\.>$/u;
const RESUMED = /^(\d+) +<\.\.\. \w+ resumed>(.*)\) += (-?\d+)/u;

/** All finished calls in the order in which they ended. */
export function* calls(log: string): Generator<Call> {
  const open = new Map<string, Omit<Call, "result" | "endLine">>();
  for (const [line, text] of log.split("\n").entries()) {
    const whole = WHOLE.exec(text);
    if (whole !== null) {
      const [, , name = "", fd = "", args = "", result = ""] = whole;
      yield { name, fd: Number(fd), args, result: Number(result), startLine: line, endLine: line };
      continue;
    }
    const unfinished = UNFINISHED.exec(text);
    if (unfinished !== null) {
      const [, thread = "", name = "", fd = "", args = ""] = unfinished;
      open.set(thread, { name, fd: Number(fd), args, startLine: line });
      continue;
    }
    const resumed = RESUMED.exec(text);
    const [, thread = "", args = "", result = ""] = resumed ?? [];
    const begun = open.get(thread);
    if (resumed === null || begun === undefined) continue;
    open.delete(thread);
    yield { ...begun, args: begun.args + args, result: Number(result), endLine: line };
  }
}

const LOST = /^\d+ +(\w+)\(.* += \?/u;

/** Names of calls whose end the log does not tell, because a kill came first: they may have done it. */
export function cutOffCalls(log: string): string[] {
  const open = new Map<string, string>();
  const cutOff: string[] = [];
  for (const text of log.split("\n")) {
    const [, thread = "", name = ""] = UNFINISHED.exec(text) ?? [];
    if (name !== "") open.set(thread, name);
    const resumed = RESUMED.exec(text);
    if (resumed !== null) open.delete(resumed[1] ?? "");
    const [, lost] = LOST.exec(text) ?? [];
    if (lost !== undefined) cutOff.push(lost);
  }
  return [...cutOff, ...open.values()];
}

/** The bytes of each hexadecimal string in a call's arguments. */
export function stringsOf(args: string): Buffer[] {
  return [...args.matchAll(/"((?:\\x[0-9a-f]{2})*)"/gu)].map(([, hex = ""]) =>
    Buffer.from(hex.replaceAll("\\x", ""), "hex"),
  );
}
