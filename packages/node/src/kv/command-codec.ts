import type { SessionOperation } from "@quorate/wire";
import { getInteger, setSafeInteger } from "./integers.ts";
import type { CommandEnvelope, DecodedCommand, KeyChange, KvCommand } from "./kv-command.ts";
import { isKeySize, isSessionOperation, isSessionTtl, isValueSize } from "./kv-command.ts";

/*
 * Layouts; integers are big-endian, u64 holds at most 2^53 - 1:
 *
 *   version 1  u8 1 | u8 kind (put, delete) | u16 key length | key | value (put only)
 *   version 2  u8 2 | u8 kind | u8 flags | u64 cluster time in ms
 *              | u64 ifRevision (flag 1) | u64 sessionId, serial, ackedBelow (flag 2)
 *              | put, delete: u16 key length | key | value (put only)
 *              | openSession: u64 ttl in ms; keepSession, closeSession: u64 sessionId
 *
 * They are a promise: every log on a disk holds them. A new kind of command needs a new number,
 * and may be proposed only once every member knows it.
 */
const KINDS = ["put", "delete", "openSession", "keepSession", "closeSession"] as const;
type Kind = (typeof KINDS)[number];
const HEADER_1_BYTES = 4;
const HEADER_2_BYTES = 11;
const CONDITION_BYTES = 8;
const SESSION_BYTES = 24;
const FLAG_CONDITION = 1;
const FLAG_SESSION = 2;

const NO_ENVELOPE: CommandEnvelope = { clusterTimeMs: 0, session: null };

/**
 * Encodes a command of which every part was checked ({@link isKeySize}, {@link isValueSize},
 * {@link isSessionTtl}, {@link isSessionOperation}). Only a put or delete is in a session.
 */
export function encodeCommand(
  command: KvCommand,
  envelope: CommandEnvelope = NO_ENVELOPE,
): Uint8Array {
  if (command.kind === "put" || command.kind === "delete") return encodeChange(command, envelope);
  const data = new Uint8Array(HEADER_2_BYTES + 8);
  const view = new DataView(data.buffer);
  writeHeader(view, command.kind, 0, envelope.clusterTimeMs);
  const isOpen = command.kind === "openSession";
  setSafeInteger(view, HEADER_2_BYTES, isOpen ? command.ttlMs : command.sessionId);
  return data;
}

function encodeChange(command: KeyChange, envelope: CommandEnvelope): Uint8Array {
  const { key, ifRevision = null } = command;
  const { session, clusterTimeMs } = envelope;
  const valueBytes = command.kind === "put" ? command.value.length : 0;
  const prefixBytes =
    HEADER_2_BYTES +
    (ifRevision === null ? 0 : CONDITION_BYTES) +
    (session === null ? 0 : SESSION_BYTES);
  const data = new Uint8Array(prefixBytes + 2 + key.length + valueBytes);
  const view = new DataView(data.buffer);
  const flags = (ifRevision === null ? 0 : FLAG_CONDITION) | (session === null ? 0 : FLAG_SESSION);
  writeHeader(view, command.kind, flags, clusterTimeMs);
  if (ifRevision !== null) setSafeInteger(view, HEADER_2_BYTES, ifRevision);
  if (session !== null) {
    const at = prefixBytes - SESSION_BYTES;
    setSafeInteger(view, at, session.sessionId);
    setSafeInteger(view, at + 8, session.serial);
    setSafeInteger(view, at + 16, session.ackedBelow);
  }
  view.setUint16(prefixBytes, key.length);
  data.set(key, prefixBytes + 2);
  if (command.kind === "put") data.set(command.value, prefixBytes + 2 + key.length);
  return data;
}

function writeHeader(view: DataView, kind: Kind, flags: number, clusterTimeMs: number): void {
  view.setUint8(0, 2);
  view.setUint8(1, KINDS.indexOf(kind) + 1);
  view.setUint8(2, flags);
  setSafeInteger(view, 3, clusterTimeMs);
}

/** Reads a command; never throws. Key and value are views of `data`. */
export function decodeCommand(data: Uint8Array): DecodedCommand {
  const [version, kindNumber] = data;
  if (version === undefined || kindNumber === undefined || data.length < HEADER_1_BYTES) {
    return invalid(`${data.length} bytes are no command`);
  }
  const kind = KINDS[kindNumber - 1];
  if (version === 1) {
    if (kind !== "put" && kind !== "delete")
      return invalid(`command kind ${kindNumber} is unknown`);
    return decodeChange(kind, data, 2, NO_PREFIX);
  }
  if (version !== 2) return invalid(`command version ${version} is unknown`);
  if (kind === undefined) return invalid(`command kind ${kindNumber} is unknown`);
  return decodeVersion2(kind, data);
}

interface Prefix extends CommandEnvelope {
  readonly ifRevision: number | null;
}

const NO_PREFIX: Prefix = { ...NO_ENVELOPE, ifRevision: null };

function decodeVersion2(kind: Kind, data: Uint8Array): DecodedCommand {
  const isChange = kind === "put" || kind === "delete";
  const flags = data[2] ?? 0;
  const hasCondition = (flags & FLAG_CONDITION) !== 0;
  const hasSession = (flags & FLAG_SESSION) !== 0;
  if (flags > (isChange ? FLAG_CONDITION | FLAG_SESSION : 0)) return invalid(`flags ${flags}`);
  const prefixBytes =
    HEADER_2_BYTES + (hasCondition ? CONDITION_BYTES : 0) + (hasSession ? SESSION_BYTES : 0);
  if (data.length < prefixBytes) return invalid(`${data.length} bytes are no command`);
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const clusterTimeMs = getInteger(view, 3);
  if (!Number.isSafeInteger(clusterTimeMs)) return invalid("a cluster time that is too large");
  if (!isChange) return decodeSessionCommand(kind, view, clusterTimeMs);
  const ifRevision = hasCondition ? getInteger(view, HEADER_2_BYTES) : null;
  if (ifRevision !== null && !Number.isSafeInteger(ifRevision)) {
    return invalid("a revision that is too large");
  }
  const session = hasSession ? readSession(view, prefixBytes - SESSION_BYTES) : null;
  if (session === "bad") return invalid("a session's numbers");
  return decodeChange(kind, data, prefixBytes, { clusterTimeMs, session, ifRevision });
}

function readSession(view: DataView, at: number): SessionOperation | "bad" {
  const sessionId = getInteger(view, at);
  const serial = getInteger(view, at + 8);
  const ackedBelow = getInteger(view, at + 16);
  const operation = { sessionId, serial, ackedBelow };
  const isSafe = Number.isSafeInteger(sessionId) && Number.isSafeInteger(serial);
  return isSafe && isSessionOperation(operation) ? operation : "bad";
}

function decodeSessionCommand(
  kind: Exclude<Kind, "put" | "delete">,
  view: DataView,
  clusterTimeMs: number,
): DecodedCommand {
  if (view.byteLength !== HEADER_2_BYTES + 8) return invalid(`${view.byteLength} bytes of ${kind}`);
  const number = getInteger(view, HEADER_2_BYTES);
  const envelope = { clusterTimeMs, session: null };
  if (kind === "openSession") {
    return isSessionTtl(number)
      ? { kind, ttlMs: number, ...envelope }
      : invalid(`a session of ${number} ms`);
  }
  return Number.isSafeInteger(number)
    ? { kind, sessionId: number, ...envelope }
    : invalid("a session's id is too large");
}

function decodeChange(
  kind: "put" | "delete",
  data: Uint8Array,
  at: number,
  prefix: Prefix,
): DecodedCommand {
  const [high, low] = data.subarray(at, at + 2);
  if (high === undefined || low === undefined)
    return invalid(`${data.length} bytes are no command`);
  const keyBytes = (high << 8) | low;
  const keyAt = at + 2;
  const valueBytes = data.length - keyAt - keyBytes;
  if (!isKeySize(keyBytes)) return invalid(`a key of ${keyBytes} bytes`);
  if (valueBytes < 0) return invalid(`a key of ${keyBytes} bytes in ${data.length} bytes`);
  const key = data.subarray(keyAt, keyAt + keyBytes);
  if (kind === "delete") {
    return valueBytes === 0
      ? { kind, key, ...prefix }
      : invalid(`${valueBytes} bytes after the key of a delete`);
  }
  return isValueSize(valueBytes)
    ? { kind, key, value: data.subarray(keyAt + keyBytes), ...prefix }
    : invalid(`a value of ${valueBytes} bytes`);
}

function invalid(reason: string): DecodedCommand {
  return { kind: "invalid", reason };
}
