/**
 * Base of every operating error of Quorate's packages: something outside the code went wrong and
 * a caller may handle it. Bugs are not this class, and refusals that the protocol expects are
 * values. Facts are fields: nobody parses `message`.
 */
export abstract class QuorateError extends Error {
  /** What went wrong, from a list that each subclass closes. */
  abstract readonly code: string;
}

/**
 * `bodyTooLarge`: the prefix announces more than the limit. `bodyEmpty`: it announces nothing.
 */
export type FrameErrorCode = "bodyTooLarge" | "bodyEmpty";

/**
 * A byte stream that is not made of frames, or of frames that nobody may send. The position of
 * the next frame is lost: the connection cannot be used any longer.
 */
export class FrameError extends QuorateError {
  override readonly name = "FrameError";
  override readonly code: FrameErrorCode;
  /** The body length that the prefix announced, in bytes. */
  readonly bodyBytes: number;
  /** The largest body that was allowed at that moment, in bytes. */
  readonly bodyMaxBytes: number;

  constructor(code: FrameErrorCode, bodyBytes: number, bodyMaxBytes: number) {
    super(
      code === "bodyEmpty"
        ? "frame announces an empty body"
        : `frame announces a body of ${bodyBytes} bytes where ${bodyMaxBytes} are allowed`,
    );
    this.code = code;
    this.bodyBytes = bodyBytes;
    this.bodyMaxBytes = bodyMaxBytes;
  }
}

/**
 * - `truncated`: the bytes end inside a value.
 * - `trailingBytes`: bytes follow the value.
 * - `badFormat`: not a MessagePack array, a map key that is no string, or a reserved byte.
 * - `extension`: a MessagePack extension type; the protocol has none.
 * - `tooDeep`: nested deeper than `NESTING_MAX_DEPTH`.
 * - `tooManyValues`: more than `BODY_VALUES_MAX` values.
 * - `unknownType`: a message type that this version does not know.
 * - `badField`: a field is missing or outside its type or range; `field` names it.
 * - `badChecksum`: a log entry's bytes are not those that were written.
 */
export type DecodeErrorCode =
  | "truncated"
  | "trailingBytes"
  | "badFormat"
  | "extension"
  | "tooDeep"
  | "tooManyValues"
  | "unknownType"
  | "badField"
  | "badChecksum";

/** Bytes that are not what they should encode. Nothing of them may be used. */
export class DecodeError extends QuorateError {
  override readonly name = "DecodeError";
  override readonly code: DecodeErrorCode;
  /** The field at fault, as `Message.field`; null where the fault is in no single field. */
  readonly field: string | null;

  constructor(
    code: DecodeErrorCode,
    message: string,
    options: ErrorOptions & { readonly field?: string } = {},
  ) {
    super(message, options);
    this.code = code;
    this.field = options.field ?? null;
  }
}

/** `tooLarge`: the bytes would exceed a limit. `badField`: a value has no encoding. */
export type EncodeErrorCode = "tooLarge" | "badField";

/** A message that cannot be sent. Nothing was written anywhere. */
export class EncodeError extends QuorateError {
  override readonly name = "EncodeError";
  override readonly code: EncodeErrorCode;

  constructor(code: EncodeErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
