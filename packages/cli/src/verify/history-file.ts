import { createWriteStream, type WriteStream } from "node:fs";
import { once } from "node:events";
import { finished } from "node:stream/promises";

import type { Operation } from "@quorate/wire/history";
import { HistoryWriter } from "@quorate/wire/history";

/** Lines are handed to the file in pieces of this many characters. */
const PIECE_CHARACTERS = 64 * 1024;

/** More than this not yet in the file, and whoever records waits. */
const BACKLOG_MAX_BYTES = 8 * 1024 * 1024;

/** Operations on their way into a file, with a bounded part of them in memory. */
export class HistoryFile {
  readonly path: string;
  readonly #stream: WriteStream;
  readonly #writer: HistoryWriter;
  #piece = "";
  #failure: Error | null = null;

  /** @param note tells people what the run was. */
  constructor(path: string, note: string) {
    this.path = path;
    this.#stream = createWriteStream(path, { mode: 0o600 });
    this.#stream.on("error", (error) => {
      this.#failure ??= error;
    });
    this.#writer = new HistoryWriter((text) => this.#add(text), { history: 1, note });
  }

  append(operation: Operation): void {
    this.#writer.append(operation);
  }

  /**
   * Resolves when there is room for more.
   *
   * @throws the error of the file, once it has one.
   */
  async room(): Promise<void> {
    if (this.#failure !== null) throw this.#failure;
    if (this.#stream.writableLength > BACKLOG_MAX_BYTES) await once(this.#stream, "drain");
  }

  /** Resolves when all of it is in the file. */
  async close(): Promise<void> {
    this.#hand();
    this.#stream.end();
    await finished(this.#stream);
  }

  #add(text: string): void {
    this.#piece += text;
    if (this.#piece.length >= PIECE_CHARACTERS) this.#hand();
  }

  #hand(): void {
    this.#stream.write(this.#piece);
    this.#piece = "";
  }
}
