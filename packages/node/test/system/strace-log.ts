import type { WireMessage } from "@quorate/wire";
import { decodeBody, FRAME_BODY_MAX_BYTES, FrameDecoder } from "@quorate/wire";

const RECEIVING = new Set(["read", "readv", "recvfrom", "recvmsg"]);
const SENDING = new Set(["write", "writev", "sendto", "sendmsg"]);
const SYNCING = new Set(["fsync", "fdatasync"]);

/**
 * strace's flags: all threads, strings whole and in hexadecimal. Put before the program, which
 * stays the direct child (`-D`), so that signals reach it.
 */
export function straceCommand(logFile: string): string[] {
  const traced = [...RECEIVING, ...SENDING, ...SYNCING, "openat", "close", "accept4", "socket"];
  const filter = `trace=${traced.join(",")}`;
  return ["strace", "-D", "-f", "-xx", "-s", "4000000", "-e", filter, "-o", logFile];
}

/** One thing that a process did, in the order of the log's lines. */
export type TracedEvent =
  | { readonly kind: "received" | "sent"; readonly line: number; readonly message: WireMessage }
  /** A sync of the write-ahead log that succeeded. */
  | { readonly kind: "synced"; readonly startLine: number; readonly line: number };

interface Call {
  readonly name: string;
  readonly fd: number;
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
      if (unhex(call.args).endsWith("-wal")) walFds.add(call.result);
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
      const bytes = Buffer.from(unhex(call.args), "latin1").subarray(0, call.result);
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
function* calls(log: string): Generator<Call> {
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

/** The bytes of every hexadecimal string in a call's arguments, one after the other. */
function unhex(args: string): string {
  let bytes = "";
  for (const [, hex = ""] of args.matchAll(/"((?:\\x[0-9a-f]{2})*)"/gu)) {
    bytes += Buffer.from(hex.replaceAll("\\x", ""), "hex").toString("latin1");
  }
  return bytes;
}
