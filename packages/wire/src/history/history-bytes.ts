import { isUtf8 } from "node:buffer";

import type { HistoryBytes } from "./operation.ts";

/** Bytes as a history holds them. */
export function historyBytes(bytes: Uint8Array): HistoryBytes {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return isUtf8(buffer) ? buffer.toString("utf8") : { b64: buffer.toString("base64") };
}

/** The bytes themselves. */
export function bytesOfHistory(bytes: HistoryBytes): Uint8Array {
  return typeof bytes === "string" ? Buffer.from(bytes, "utf8") : Buffer.from(bytes.b64, "base64");
}
