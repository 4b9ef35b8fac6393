import { FrameError } from "./errors.ts";
import { FRAME_PREFIX_BYTES } from "./limits.ts";

/** First buffer for a body that does not arrive in one chunk. It grows as bytes arrive, so that
 *  an announced length alone costs no memory. */
const FIRST_BUFFER_BYTES = 4 * 1024;
const GROWTH = 4;

const NOTHING: Uint8Array = new Uint8Array(0);

/**
 * Cuts a byte stream into the bodies of its frames, however the stream was chunked. A body that
 * lies in one chunk is a view of that chunk; only one that is spread over several is copied. What
 * is buffered stays below the larger of 4 KiB and four times the bytes that arrived of the body,
 * and never exceeds the body's announced length.
 */
export class FrameDecoder {
  /**
   * Largest body allowed, in bytes. May be changed at any time, also from `onBody`: it holds for
   * every frame whose prefix is read afterwards.
   */
  bodyMaxBytes: number;

  #prefixBytes = 0;
  #prefix = 0;
  /** Length of the body being read; 0 while the prefix is. */
  #bodyBytes = 0;
  #buffer: Uint8Array = NOTHING;
  #buffered = 0;
  #failure: FrameError | null = null;

  constructor(bodyMaxBytes: number) {
    this.bodyMaxBytes = bodyMaxBytes;
  }

  /**
   * Takes the next bytes of the stream and calls `onBody` for each body that they complete, in
   * order, before it returns. A body is valid until the chunk's owner changes the chunk. An
   * exception from `onBody` passes through and loses the rest of the chunk: give the decoder up.
   *
   * @throws FrameError where a prefix announces an empty body or one over `bodyMaxBytes`; nothing
   * is allocated for it, and every later call throws the same error.
   */
  push(chunk: Uint8Array, onBody: (body: Uint8Array) => void): void {
    if (this.#failure !== null) throw this.#failure;
    let at = 0;
    while (at < chunk.length) {
      if (this.#bodyBytes === 0) at = this.#readPrefix(chunk, at);
      else at = this.#readBody(chunk, at, onBody);
    }
  }

  #readPrefix(chunk: Uint8Array, from: number): number {
    let at = from;
    while (at < chunk.length && this.#prefixBytes < FRAME_PREFIX_BYTES) {
      this.#prefix = this.#prefix * 256 + (chunk[at] ?? 0);
      this.#prefixBytes += 1;
      at += 1;
    }
    if (this.#prefixBytes === FRAME_PREFIX_BYTES) this.#startBody();
    return at;
  }

  #startBody(): void {
    const announced = this.#prefix;
    this.#prefix = 0;
    this.#prefixBytes = 0;
    if (announced === 0) throw this.#fail("bodyEmpty", announced);
    if (announced > this.bodyMaxBytes) throw this.#fail("bodyTooLarge", announced);
    this.#bodyBytes = announced;
  }

  #readBody(chunk: Uint8Array, at: number, onBody: (body: Uint8Array) => void): number {
    const missing = this.#bodyBytes - this.#buffered;
    const taken = Math.min(missing, chunk.length - at);
    const piece = new Uint8Array(chunk.buffer, chunk.byteOffset + at, taken);
    if (this.#buffered === 0 && taken === missing) {
      this.#bodyBytes = 0;
      onBody(piece);
    } else {
      this.#keep(piece);
      if (taken === missing) this.#finishBuffered(onBody);
    }
    return at + taken;
  }

  #keep(piece: Uint8Array): void {
    const needed = this.#buffered + piece.length;
    if (needed > this.#buffer.length) {
      const size = Math.min(this.#bodyBytes, Math.max(FIRST_BUFFER_BYTES, needed * GROWTH));
      const larger = new Uint8Array(size);
      larger.set(this.#buffer.subarray(0, this.#buffered));
      this.#buffer = larger;
    }
    this.#buffer.set(piece, this.#buffered);
    this.#buffered = needed;
  }

  #finishBuffered(onBody: (body: Uint8Array) => void): void {
    const body = this.#buffer.subarray(0, this.#bodyBytes);
    this.#buffer = NOTHING;
    this.#buffered = 0;
    this.#bodyBytes = 0;
    onBody(body);
  }

  #fail(code: "bodyEmpty" | "bodyTooLarge", announced: number): FrameError {
    this.#failure = new FrameError(code, announced, this.bodyMaxBytes);
    return this.#failure;
  }
}
