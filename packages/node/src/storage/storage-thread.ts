/*
 * Entry point of the thread that owns the database of one node. It may block for a disk as long
 * as it takes: the thread of the event loop only posts writes and hears when they are durable.
 */
import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";

import { assert } from "../raft/index.ts";
import { StorageLoop } from "./storage-loop.ts";
import type { StorageReport, StorageRequest, StorageThreadOptions } from "./thread-messages.ts";

assert(parentPort !== null, "the storage thread is a worker thread");
const port = parentPort;
const loop = new StorageLoop(
  {
    report: (report: StorageReport) => {
      const transfer = report.kind === "entries" ? [report.records.buffer as ArrayBuffer] : [];
      port.postMessage(report, transfer);
      if (report.kind === "closed") port.close();
    },
    takeWaiting: () => (receiveMessageOnPort(port)?.message as StorageRequest | undefined) ?? null,
    after: (delayMs, fn) => {
      const timeout = setTimeout(fn, delayMs);
      return { cancel: () => clearTimeout(timeout) };
    },
  },
  workerData as StorageThreadOptions,
);
port.on("message", (request: StorageRequest) => loop.onRequest(request));
loop.open();
