import type { SessionOperation } from "@quorate/wire";
import { encodeCommand } from "../../src/kv/command-codec.ts";
import type { KvCommand } from "../../src/kv/kv-command.ts";
import type { KvResult } from "../../src/kv/kv-result.ts";
import { KvStateMachine } from "../../src/kv/kv-state-machine.ts";
import type { StateSnapshot } from "../../src/ports/state-machine.ts";

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A store and the log that drives it. */
export class StoreUnderTest {
  readonly machine: KvStateMachine = new KvStateMachine();
  index = 0;

  apply(
    command: KvCommand,
    options: { readonly session?: SessionOperation | null; readonly atMs?: number } = {},
  ): KvResult {
    const { session = null, atMs = 0 } = options;
    this.index += 1;
    const data = encodeCommand(command, { clusterTimeMs: atMs, session });
    return this.machine.apply({ index: this.index, term: 1, kind: "command", data });
  }

  put(key: string, value: Uint8Array | string): KvResult {
    const data = typeof value === "string" ? bytes(value) : value;
    return this.apply({ kind: "put", key: bytes(key), value: data });
  }

  delete(key: string): KvResult {
    return this.apply({ kind: "delete", key: bytes(key) });
  }
}

/** Reads a snapshot to its end. */
export function readAll(snapshot: StateSnapshot, pieceBytes = 100): Buffer {
  const pieces: Uint8Array[] = [];
  for (let piece = snapshot.read(pieceBytes); piece !== null; piece = snapshot.read(pieceBytes)) {
    pieces.push(piece.slice());
  }
  return Buffer.concat(pieces);
}

/** Restores `stream`, cut into pieces of `pieceBytes`, into `machine`. */
export function restoreInto(machine: KvStateMachine, stream: Uint8Array, pieceBytes = 7): void {
  const restorer = machine.restore();
  for (let at = 0; at < stream.length; at += pieceBytes) {
    // A copy that is wiped: a restorer that keeps a view of a piece is found out.
    const piece = Uint8Array.from(stream.subarray(at, at + pieceBytes));
    restorer.write(piece);
    piece.fill(0xee);
  }
  restorer.finish();
}
