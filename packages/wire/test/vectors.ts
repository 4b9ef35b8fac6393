import { readdirSync, readFileSync } from "node:fs";

/** A message or value and the bytes that it is encoded as, in one version of the protocol. */
export interface Vector {
  readonly name: string;
  readonly message: unknown;
  readonly frame: Uint8Array;
}

const FOLDER = new URL("vectors/", import.meta.url);

/** The vectors of one file, such as `v1/raft.json`. */
export function readVectors(file: string): Vector[] {
  const text = readFileSync(new URL(file, FOLDER), "utf8");
  const vectors = JSON.parse(text, reviveBytes) as {
    name: string;
    message: unknown;
    frame: string;
  }[];
  return vectors.map((vector) => ({ ...vector, frame: bytesOfHex(vector.frame) }));
}

/** Every file of frames, of every version of the protocol. */
export function vectorFiles(): string[] {
  return readdirSync(FOLDER, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".json"))
    .toSorted();
}

/** Bytes stand in the files as `{"bytes": "00ff"}`. */
function reviveBytes(_name: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  const { bytes, ...others } = value as { bytes?: unknown };
  return typeof bytes === "string" && Object.keys(others).length === 0 ? bytesOfHex(bytes) : value;
}

function bytesOfHex(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex, "hex"));
}
