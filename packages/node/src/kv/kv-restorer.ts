import { crc32 } from "node:zlib";
import type { StateRestorer } from "../ports/state-machine.ts";
import { isKeySize, isValueSize } from "./kv-command.ts";
import type { ChangeResult } from "./kv-result.ts";
import { KvState } from "./kv-state.ts";
import { RecordReader } from "./record-reader.ts";
import { responseOf } from "./session-table.ts";
import { KvSnapshotError } from "./snapshot-error.ts";
import {
  BLOCK_BODY_MAX_BYTES,
  BLOCK_HEAD_BYTES,
  FORMAT_VERSION,
  MAGIC,
  PREAMBLE_BYTES,
  TAG_HEADER,
  TAG_KEY,
  TAG_SESSION,
  TAG_TRAILER,
} from "./snapshot-format.ts";

type Stage = "preamble" | "blockHead" | "body";

/** Builds a new state of the pieces of a snapshot; the old one stays until it is whole and sound. */
export class KvRestorer implements StateRestorer {
  readonly #state = new KvState();
  readonly #onFinish: (state: KvState) => void;
  #stage: Stage = "preamble";
  /** Grows to the largest block; what is kept of a block is copied out of it. */
  #buffer: Uint8Array<ArrayBuffer> = new Uint8Array(4 * 1024);
  /** The part of the buffer that is being filled: with the preamble, a head or a body. */
  #part: Uint8Array<ArrayBuffer> = this.#buffer.subarray(0, PREAMBLE_BYTES);
  #partBytes = 0;
  #bodyCrc = 0;
  #hasHeader = false;
  #hasTrailer = false;
  #fault: KvSnapshotError | null = null;

  constructor(onFinish: (state: KvState) => void) {
    this.#onFinish = onFinish;
  }

  /** After a fault nothing more is looked at; {@link finish} tells it. */
  write(chunk: Uint8Array): void {
    try {
      for (let at = 0; at < chunk.length && this.#fault === null;) {
        const taken = Math.min(chunk.length - at, this.#part.length - this.#partBytes);
        this.#part.set(chunk.subarray(at, at + taken), this.#partBytes);
        this.#partBytes += taken;
        at += taken;
        if (this.#partBytes === this.#part.length) this.#takePart();
      }
    } catch (error) {
      if (!(error instanceof KvSnapshotError)) throw error;
      this.#fault = error;
    }
  }

  /** @throws {KvSnapshotError} where the pieces are not one whole, sound snapshot. */
  finish(): void {
    if (this.#fault !== null) throw this.#fault;
    if (!this.#hasTrailer || this.#partBytes > 0 || this.#stage === "body") {
      throw new KvSnapshotError("truncated", "the snapshot ends before its trailer");
    }
    this.#onFinish(this.#state);
  }

  #takePart(): void {
    const view = new DataView(this.#part.buffer);
    switch (this.#stage) {
      case "preamble":
        checkPreamble(view);
        this.#expect("blockHead", BLOCK_HEAD_BYTES);
        break;
      case "blockHead": {
        if (this.#hasTrailer) throw damaged("bytes follow the trailer");
        const bodyBytes = view.getUint32(0);
        if (bodyBytes > BLOCK_BODY_MAX_BYTES) throw damaged(`a block of ${bodyBytes} bytes`);
        this.#bodyCrc = view.getUint32(4);
        if (bodyBytes > 0) this.#expect("body", bodyBytes);
        else this.#expect("blockHead", BLOCK_HEAD_BYTES);
        break;
      }
      case "body": {
        if (crc32(this.#part) !== this.#bodyCrc) throw damaged("a block fails its checksum");
        this.#takeRecords(new RecordReader(this.#part));
        this.#expect("blockHead", BLOCK_HEAD_BYTES);
        break;
      }
    }
  }

  #expect(stage: Stage, sizeBytes: number): void {
    this.#stage = stage;
    this.#partBytes = 0;
    if (sizeBytes > this.#buffer.length) {
      this.#buffer = new Uint8Array(Math.max(sizeBytes, this.#buffer.length * 2));
    }
    this.#part = this.#buffer.subarray(0, sizeBytes);
  }

  #takeRecords(reader: RecordReader): void {
    while (!reader.isAtEnd) {
      if (this.#hasTrailer) throw damaged("records follow the trailer");
      const tag = reader.u8();
      if ((tag === TAG_HEADER) === this.#hasHeader) throw damaged("the header is not first");
      switch (tag) {
        case TAG_HEADER:
          this.#takeHeader(reader);
          break;
        case TAG_KEY:
          this.#takeKey(reader);
          break;
        case TAG_SESSION:
          this.#takeSession(reader);
          break;
        case TAG_TRAILER:
          this.#takeTrailer(reader);
          break;
        default:
          throw damaged(`there is no record type ${tag}`);
      }
    }
  }

  #takeHeader(reader: RecordReader): void {
    this.#state.revision = reader.safeInteger();
    this.#state.clusterTimeMs = reader.safeInteger();
    this.#state.appliedIndex = reader.safeInteger();
    this.#hasHeader = true;
  }

  #takeKey(reader: RecordReader): void {
    const keyBytes = reader.u16();
    const valueBytes = reader.u32();
    const revisions = {
      createRevision: reader.safeInteger(),
      modRevision: reader.safeInteger(),
      version: reader.safeInteger(),
    };
    if (!isKeySize(keyBytes) || !isValueSize(valueBytes)) throw damaged("a record's sizes");
    const key = reader.bytes(keyBytes);
    const value = reader.bytes(valueBytes);
    if (!this.#state.records.restore(key, value, revisions)) throw damaged("a key comes twice");
  }

  #takeSession(reader: RecordReader): void {
    const session = {
      id: reader.safeInteger(),
      ttlMs: reader.safeInteger(),
      lastActiveIndex: reader.safeInteger(),
      lastActiveMs: reader.safeInteger(),
      ackedBelow: reader.safeInteger(),
      responses: new Map<number, ChangeResult>(),
    };
    for (let left = reader.u8(); left > 0; left--) {
      const serial = reader.safeInteger();
      const kind = reader.u8();
      const response = responseOf({
        kind,
        revision: reader.safeInteger(),
        detail: reader.safeInteger(),
        index: reader.safeInteger(),
        term: reader.safeInteger(),
      });
      if (response === null) throw damaged("a session's response");
      session.responses.set(serial, response);
    }
    // The next snapshot would take it for one that was active since, and leave it out.
    if (session.lastActiveIndex > this.#state.appliedIndex) {
      throw damaged("a session was active after its last command");
    }
    if (!this.#state.sessions.restore(session)) throw damaged("a session comes twice");
  }

  #takeTrailer(reader: RecordReader): void {
    const keyCount = reader.safeInteger();
    const sessionCount = reader.safeInteger();
    const digest = reader.text(16);
    const { records, sessions } = this.#state;
    if (keyCount !== records.keyCount) throw damaged(`${records.keyCount} keys of ${keyCount}`);
    if (sessionCount !== sessions.count) {
      throw damaged(`${sessions.count} sessions of ${sessionCount}`);
    }
    if (digest !== this.#state.digest()) throw damaged("the state does not have its hash");
    sessions.finishRestore();
    this.#hasTrailer = true;
  }
}

function checkPreamble(view: DataView): void {
  if (view.getUint32(0) !== MAGIC) {
    throw new KvSnapshotError("foreign", "the bytes are no snapshot of a key-value store");
  }
  const version = view.getUint32(4);
  if (version !== FORMAT_VERSION) {
    throw new KvSnapshotError("unsupportedVersion", `snapshot format ${version} is unknown`);
  }
}

function damaged(what: string): KvSnapshotError {
  return new KvSnapshotError("damaged", `the snapshot is damaged: ${what}`);
}
