import assert from "node:assert/strict";
import type { WireMessage } from "@quorate/wire";
import { decodeBody, FRAME_BODY_MAX_BYTES, FrameDecoder } from "@quorate/wire";
import type { ContentChange, CutDisk, CutFile } from "./cut-disk.ts";
import type { Call } from "./strace-log.ts";
import { calls, stringsOf } from "./strace-log.ts";

/** One thing that a traced process did, at its place in the trace. */
export interface DiskStep {
  readonly at: number;
  /** What it was, for people. */
  readonly text: string;
  /** A change of a file or folder: after it the power may be cut. */
  readonly isChange: boolean;
  readonly apply: () => void;
}

/** A message to or from a client. */
export interface ClientMessage {
  readonly at: number;
  readonly socket: number;
  readonly direction: "received" | "sent";
  readonly message: WireMessage;
}

interface OpenFile {
  readonly path: string;
  /** Whatever it is called by now. Null: a folder, or not opened yet at this step. */
  file: CutFile | null;
  position: number;
}

/**
 * Reads what a process did to its files out of a strace log, as steps to be taken on `disk` in the
 * order of their places. A change may be on the disk from the moment that its call begins; a sync
 * counts when it has returned, for what had returned before it began.
 */
export class TracedDisk {
  readonly steps: DiskStep[] = [];
  readonly messages: ClientMessage[] = [];
  readonly #disk: CutDisk;
  readonly #files = new Map<number, OpenFile>();
  readonly #sockets = new Map<number, { id: number; in: FrameDecoder; out: FrameDecoder }>();
  #socketCount = 0;

  /** The places of the steps begin at `firstPlace`: behind those of the process before it. */
  constructor(disk: CutDisk, log: string, firstPlace: number) {
    this.#disk = disk;
    for (const call of calls(log)) {
      const startLine = firstPlace + call.startLine;
      const endLine = firstPlace + call.endLine;
      if (call.result >= 0) this.#take({ ...call, startLine, endLine });
    }
    const byPlace = (one: { at: number }, other: { at: number }): number => one.at - other.at;
    this.steps.sort(byPlace);
    this.messages.sort(byPlace);
  }

  #take(call: Call): void {
    switch (call.name) {
      case "openat":
        this.#open(call);
        break;
      case "accept4":
      case "socket":
        this.#socketCount += 1;
        this.#sockets.set(call.result, {
          id: this.#socketCount,
          in: new FrameDecoder(FRAME_BODY_MAX_BYTES),
          out: new FrameDecoder(FRAME_BODY_MAX_BYTES),
        });
        break;
      case "close":
        this.#files.delete(call.fd);
        this.#sockets.delete(call.fd);
        break;
      case "fsync":
      case "fdatasync":
        this.#sync(call);
        break;
      default:
        if (this.#sockets.has(call.fd)) this.#message(call);
        else this.#change(call);
    }
  }

  #open(call: Call): void {
    const path = pathsOf(call)[0] ?? "";
    if (!this.#disk.isBelow(path) && path !== this.#disk.root) return;
    const opened: OpenFile = { path, file: null, position: 0 };
    this.#files.set(call.result, opened);
    assert.ok(!call.args.includes("O_APPEND"), `${path} is appended to`);
    this.#step(call, `opens ${path}`, () => {
      const found = this.#disk.find(path);
      const isNew = found === null && call.args.includes("O_CREAT");
      opened.file = isNew ? this.#disk.create(path, false, call.endLine) : found;
    });
    if (call.args.includes("O_TRUNC")) {
      this.#content(call, opened, { kind: "truncate", sizeBytes: 0 });
    }
  }

  #sync(call: Call): void {
    const opened = this.#files.get(call.fd);
    if (opened === undefined) return;
    this.steps.push({
      at: call.endLine,
      text: `syncs ${opened.path}`,
      isChange: false,
      apply: () => {
        const { file, path } = opened;
        if (file !== null && !file.isFolder) this.#disk.sync(file, call.startLine);
        else this.#disk.syncFolder(path, call.startLine);
      },
    });
  }

  #change(call: Call): void {
    const [path = "", target = ""] = pathsOf(call);
    switch (call.name) {
      case "rename":
      case "renameat":
      case "renameat2":
        if (!this.#disk.isBelow(path)) return;
        this.#step(call, `moves ${path} to ${target}`, () => {
          this.#disk.move(path, target, call.endLine);
        });
        break;
      case "link":
      case "linkat":
        if (!this.#disk.isBelow(path)) return;
        this.#step(call, `links ${target} to ${path}`, () => {
          this.#disk.link(path, target, call.endLine);
        });
        break;
      case "unlink":
      case "unlinkat":
      case "rmdir":
        if (!this.#disk.isBelow(path)) return;
        this.#step(call, `removes ${path}`, () => {
          this.#disk.remove(path, call.endLine);
        });
        break;
      case "mkdir":
      case "mkdirat":
        if (!this.#disk.isBelow(path)) return;
        this.#step(call, `makes ${path}`, () => {
          this.#disk.create(path, true, call.endLine);
        });
        break;
      default:
        this.#fileChange(call);
    }
  }

  #fileChange(call: Call): void {
    const file = this.#files.get(call.fd);
    if (file === undefined || !this.#disk.isBelow(file.path)) return;
    const written = (): Uint8Array => Buffer.concat(stringsOf(call.args)).subarray(0, call.result);
    switch (call.name) {
      case "write":
      case "writev":
        this.#content(call, file, { kind: "write", offset: file.position, bytes: written() });
        file.position += call.result;
        break;
      case "pwrite64":
      case "pwritev": {
        const offset = Number(/, (\d+)$/u.exec(call.args)?.[1]);
        assert.ok(Number.isSafeInteger(offset), `the offset of ${call.args.slice(-40)}`);
        this.#content(call, file, { kind: "write", offset, bytes: written() });
        break;
      }
      case "ftruncate": {
        const sizeBytes = Number(/^, (\d+)$/u.exec(call.args)?.[1]);
        assert.ok(Number.isSafeInteger(sizeBytes), `the size of ${call.args}`);
        this.#content(call, file, { kind: "truncate", sizeBytes });
        break;
      }
      case "read":
      case "readv":
        file.position += call.result;
        break;
      default:
        assert.fail(`${call.name} of ${file.path} is not understood`);
    }
  }

  #content(call: Call, opened: OpenFile, change: ContentChange): void {
    const what = change.kind === "write" ? `${change.bytes.length} bytes` : "the size";
    this.#step(call, `changes ${what} of ${opened.path}`, () => {
      if (opened.file !== null) this.#disk.change(opened.file, change, call.endLine);
    });
  }

  #step(call: Call, text: string, apply: () => void): void {
    this.steps.push({ at: call.startLine, text, isChange: true, apply });
  }

  #message(call: Call): void {
    const socket = this.#sockets.get(call.fd);
    if (socket === undefined || call.result === 0) return;
    const bytes = Buffer.concat(stringsOf(call.args)).subarray(0, call.result);
    const isSending = ["write", "writev", "sendto", "sendmsg"].includes(call.name);
    const direction = isSending ? "sent" : "received";
    // An answer may be out from the moment that its call begins; a request is there when it ends.
    const at = isSending ? call.startLine : call.endLine;
    (isSending ? socket.out : socket.in).push(bytes, (body) => {
      this.messages.push({ at, socket: socket.id, direction, message: decodeBody(body) });
    });
  }
}

function pathsOf({ args }: Call): string[] {
  return stringsOf(args).map((bytes) => bytes.toString());
}
