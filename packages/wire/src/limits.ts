/** Length prefix of a frame: an unsigned 32-bit integer, big-endian. */
export const FRAME_PREFIX_BYTES = 4;

/** Largest body of a frame. A frame that announces more closes the connection unread. */
export const FRAME_BODY_MAX_BYTES: number = 8 * 1024 * 1024;

/** Largest first frame of a connection: before a hello nothing bigger is worth buffering. */
export const HELLO_BODY_MAX_BYTES: number = 4 * 1024;

/** Largest key, in bytes. Keys have at least one byte. */
export const KEY_MAX_BYTES: number = 4 * 1024;

/** Largest value, in bytes. */
export const VALUE_MAX_BYTES: number = 1024 * 1024;

/** Largest data of one log entry: the largest put with room for its command's envelope. */
export const ENTRY_DATA_MAX_BYTES: number = KEY_MAX_BYTES + VALUE_MAX_BYTES + 1024;

/** Entries in one AppendEntries stop here (one entry always fits); well below a frame. */
export const APPEND_ENTRIES_MAX_BYTES: number = 2 * 1024 * 1024;

/** Longest time that faults of a node's lines last, in ms. */
export const FAULTS_TTL_MAX_MS: number = 24 * 60 * 60 * 1000;

/** Deepest nesting of arrays and maps in a frame. */
export const NESTING_MAX_DEPTH = 16;

/** Most MessagePack values in a body: bounds what a small body can make a decoder allocate. */
export const BODY_VALUES_MAX: number = 64 * 1024;
