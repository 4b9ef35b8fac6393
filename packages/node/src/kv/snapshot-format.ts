/*
 * A snapshot of the store is a stream of bytes:
 *
 *   preamble  "QKVS" | u32 format version
 *   block     u32 length of the body | u32 CRC-32 of the body | body: whole records
 *   record    u8 tag | fields
 *
 * Integers are big-endian; u64 holds at most 2^53 - 1. The first record is the header, the last
 * one the trailer; between them records and sessions come in any order, each once. The trailer's
 * hash is that of the state: what was stored is checked from end to end, not only its transport.
 */
export const MAGIC = 0x514b5653;
export const FORMAT_VERSION = 2;
export const PREAMBLE_BYTES = 8;
export const BLOCK_HEAD_BYTES = 8;
/** No block is larger: a target size, and one largest record beyond it. */
export const BLOCK_BODY_MAX_BYTES: number = 4 * 1024 * 1024;
/** The largest target size of a block. */
export const BLOCK_TARGET_MAX_BYTES: number = 1024 * 1024;

/** Header: u64 revision, u64 cluster time in ms, u64 index of the last applied command. */
export const TAG_HEADER = 1;
export const HEADER_RECORD_BYTES = 25;
/** Key: u16 key length, u32 value length, u64 createRevision, modRevision, version; key, value. */
export const TAG_KEY = 2;
export const KEY_RECORD_BYTES = 31;
/**
 * Session: u64 id, ttl in ms, lastActiveIndex, lastActiveMs, ackedBelow; u8 responses. Each of
 * these: u64 serial, u8 kind, u64 revision, detail, index, term (see `ResponseFields`).
 */
export const TAG_SESSION = 3;
export const SESSION_RECORD_BYTES = 42;
export const RESPONSE_BYTES = 41;
/** Trailer: u64 keys, u64 sessions, 16 characters of the state's hash. */
export const TAG_TRAILER = 4;
export const TRAILER_RECORD_BYTES = 33;
