import type { WireMessage } from "../wire-message.ts";

/** A message as the MessagePack array that stands in its frame: type code first. */
export type Fields = readonly unknown[];

/** How one message becomes fields and back. */
export interface Codec<M extends WireMessage> {
  /** A new array; the caller may change it. Only the last field may be large bytes. */
  toFields(message: M): unknown[];
  /**
   * Checks every field that it reads and ignores those after them.
   * @throws DecodeError naming the first field that is missing or wrong.
   */
  fromFields(fields: Fields): M;
}
