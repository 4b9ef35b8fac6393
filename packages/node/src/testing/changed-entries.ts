import type { RaftMessage } from "@quorate/wire";
import {
  decodeBody,
  DecodeError,
  encodeEntries,
  FRAME_BODY_MAX_BYTES,
  FrameDecoder,
} from "@quorate/wire";
import type { Coverage } from "./coverage.ts";
import { requireInvariant } from "./invariant-violation.ts";

/** Of so many messages with entries one arrives a second time, with a byte changed. */
const EVERY = 50;
/** So far into the records the data of the first entry have begun. */
const BEHIND_HEADER = 31;

/**
 * Wire Sanity (rule 58): what changed on its way, behind the checksums of the network, is no entry.
 * Now and then a message with entries comes once more, with one byte of them changed.
 */
export class ChangedEntries {
  readonly #coverage: Coverage;
  #count = 0;

  constructor(coverage: Coverage) {
    this.#coverage = coverage;
  }

  arrived(frame: Uint8Array, message: RaftMessage): void {
    if (message.type !== "AppendEntries" || message.entries.length === 0) return;
    if (this.#count++ % EVERY !== 0) return;
    const records = encodeEntries(message.entries);
    const changed = Buffer.from(frame);
    const at = changed.indexOf(records) + ((BEHIND_HEADER * this.#count) % records.length);
    changed[at] = ~(changed[at] ?? 0);
    requireInvariant(
      isRefused(changed),
      "Wire Sanity",
      () => "a byte of the entries in a message changed on its way, and the message was taken",
    );
    this.#coverage.add("changedEntriesRefused");
  }
}

function isRefused(frame: Uint8Array): boolean {
  try {
    new FrameDecoder(FRAME_BODY_MAX_BYTES).push(frame, decodeBody);
    return false;
  } catch (error) {
    if (error instanceof DecodeError) return true;
    throw error;
  }
}
