import type { SessionOperation } from "@quorate/wire";
import { KEY_MAX_BYTES, VALUE_MAX_BYTES } from "@quorate/wire";

/** A change of one key. */
export type KeyChange =
  | {
      readonly kind: "put";
      readonly key: Uint8Array;
      readonly value: Uint8Array;
      /** Only where the key's modRevision is this; 0: only where there is none. Null: always. */
      readonly ifRevision?: number | null;
    }
  | {
      readonly kind: "delete";
      readonly key: Uint8Array;
      /** As for a put. */
      readonly ifRevision?: number | null;
    };

/** A command about a client's session (Diss. §6.3). */
export type SessionCommand =
  /** Opens a session: the index of the entry is its id. */
  | { readonly kind: "openSession"; readonly ttlMs: number }
  /** Puts off its end, as every change in it does. */
  | { readonly kind: "keepSession"; readonly sessionId: number }
  | { readonly kind: "closeSession"; readonly sessionId: number };

/** A change of the store, as an entry of the log carries it. */
export type KvCommand = KeyChange | SessionCommand;

/** What goes with a command. */
export interface CommandEnvelope {
  /**
   * The leader's cluster time when it proposed the command, in whole ms (Diss. §6.3): sessions
   * expire by the greatest that was applied. 0: none is told.
   */
  readonly clusterTimeMs: number;
  /** Names a change in its session: it takes effect once however often it is in the log. */
  readonly session: SessionOperation | null;
}

/** A command with its envelope, or why the bytes are none: the same words on every node. */
export type DecodedCommand =
  | (KvCommand & CommandEnvelope)
  | { readonly kind: "invalid"; readonly reason: string };

/** Idle for longer than this a session ends, where its client asks for nothing else. */
export const SESSION_TTL_DEFAULT_MS: number = 10 * 60 * 1000;
/** Less than this nobody may ask for. */
export const SESSION_TTL_MIN_MS = 1000;
const SESSION_TTL_MAX_MS: number = 24 * 60 * 60 * 1000;

/** Whether a key may have this many bytes: 1 to {@link KEY_MAX_BYTES}. */
export function isKeySize(sizeBytes: number): boolean {
  return sizeBytes >= 1 && sizeBytes <= KEY_MAX_BYTES;
}

/** Whether a value may have this many bytes: 0 to {@link VALUE_MAX_BYTES}. */
export function isValueSize(sizeBytes: number): boolean {
  return sizeBytes <= VALUE_MAX_BYTES;
}

/** Whether a session may live this long without a word: 1 second to 24 hours. */
export function isSessionTtl(ttlMs: number): boolean {
  return Number.isInteger(ttlMs) && ttlMs >= SESSION_TTL_MIN_MS && ttlMs <= SESSION_TTL_MAX_MS;
}

/** Whether a change may name itself so: serials count from 1, and its own is not acknowledged. */
export function isSessionOperation({ sessionId, serial, ackedBelow }: SessionOperation): boolean {
  return sessionId >= 1 && serial >= 1 && ackedBelow <= serial;
}
