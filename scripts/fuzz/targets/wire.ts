import type { LogEntry, WireMessage } from "@quorate/wire";
import {
  DecodeError,
  decodeBody,
  decodeConfiguration,
  decodeEntries,
  encodeConfiguration,
  encodeEntries,
  encodeFrame,
} from "@quorate/wire";
import { isDeepStrictEqual } from "node:util";
import { crc32 } from "node:zlib";
import { allocatedBytes } from "../allocations.ts";
import { MESSAGE_PACK_MUTATIONS } from "../message-pack.ts";
import { joined } from "../mutations.ts";
import { bodyOf } from "../recordings.ts";
import type { Mutation, Target } from "../target.ts";
import { hold } from "../target.ts";

/** Bodies of any message: what decodes can be sent on and is the same again. */
export function messagesTarget(name: string, bodies: readonly Uint8Array[]): Target {
  return {
    name,
    seeds: bodies,
    mutations: MESSAGE_PACK_MUTATIONS,
    limitMs: 200,
    check: (input) =>
      decoded(input, decodeBody, (message) => {
        const again = decodeBody(bodyOf(encodeFrame(message)));
        hold(isDeepStrictEqual(again, message), () => `${message.type} is another after a trip`);
        return shapeOf(message);
      }),
  };
}

/** Members as an entry of the log carries them. */
export function configurationTarget(seeds: readonly Uint8Array[]): Target {
  return {
    name: "configuration",
    seeds,
    mutations: MESSAGE_PACK_MUTATIONS,
    limitMs: 200,
    check: (input) =>
      decoded(input, decodeConfiguration, (configuration) => {
        const again = decodeConfiguration(encodeConfiguration(configuration));
        hold(isDeepStrictEqual(again, configuration), () => "members are others after a trip");
        const { voters, votersOutgoing, learners, retired } = configuration;
        return [voters, votersOutgoing, learners, retired].map(({ length }) => length).join(" ");
      }),
  };
}

/** Records of log entries, on the wire and on the disk. */
export function entriesTarget(seeds: readonly Uint8Array[]): Target {
  return {
    name: "entries",
    seeds,
    mutations: [mendChecksums, mendChecksums, swapRecords],
    limitMs: 200,
    check: (input) =>
      decoded(input, decodeEntries, (entries) => {
        const same = Buffer.compare(encodeEntries(entries), input) === 0;
        hold(same, () => `${entries.length} entries have other records after a trip`);
        return [...new Set(entries.map(({ kind }) => kind))].join(" ");
      }),
  };
}

/** Decodes or is refused with a DecodeError, and costs no more than its size allows. */
function decoded<Value>(
  input: Uint8Array,
  decode: (bytes: Uint8Array) => Value,
  judge: (value: Value) => string,
): string {
  const copy = input.slice();
  const before = allocatedBytes();
  let value: Value;
  try {
    value = decode(copy);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    return `refused ${error.code} ${error.field ?? ""}`;
  } finally {
    const asked = allocatedBytes() - before;
    hold(asked <= 64 * input.length + 4096, () => `asks for ${asked} bytes for ${input.length}`);
    hold(Buffer.compare(copy, input) === 0, () => "the decoder changes the bytes that it reads");
  }
  return `ok ${judge(value)}`;
}

/** The type, and which of its fields are null, empty or large. */
function shapeOf(message: WireMessage): string {
  const kinds = Object.values(message).map((value: unknown) => {
    if (value === null) return "0";
    if (Array.isArray(value)) return `${Math.min(value.length, 3)}`;
    return typeof value === "number" && value > 2 ** 32 ? "L" : "-";
  });
  return `${message.type} ${kinds.join("")}`;
}

const RECORD_HEAD_BYTES = 8;

/** Makes every checksum right again, so that what is behind it is looked at. */
const mendChecksums: Mutation = (input) => {
  const records = recordsOf(input);
  for (const record of records) {
    const view = new DataView(record.buffer);
    if (record.length < RECORD_HEAD_BYTES) continue;
    view.setUint32(0, record.length - RECORD_HEAD_BYTES);
    view.setUint32(4, crc32(record.subarray(RECORD_HEAD_BYTES)));
  }
  return joined(records);
};

const swapRecords: Mutation = (input, dice, other) =>
  joined(dice.shuffle([...recordsOf(input), ...recordsOf(other)]).slice(0, 6));

/** Copies of the records, as far as their lengths can be believed. */
function recordsOf(input: Uint8Array): Uint8Array[] {
  const view = new DataView(input.buffer, input.byteOffset, input.byteLength);
  const records: Uint8Array[] = [];
  for (let at = 0; at < input.length;) {
    const size = at + 4 <= input.length ? view.getUint32(at) : 0;
    const end = Math.min(input.length, at + RECORD_HEAD_BYTES + Math.min(size, 2 ** 20));
    records.push(input.slice(at, end));
    at = end;
  }
  return records;
}

/** Records of entries of each kind. */
export function sampleEntries(): Uint8Array[] {
  const entry = (index: number, kind: LogEntry["kind"], size: number): LogEntry => ({
    index,
    term: 3,
    kind,
    data: new Uint8Array(size).fill(index),
  });
  const entries = [entry(1, "noop", 0), entry(2, "command", 40), entry(3, "configuration", 9)];
  return [encodeEntries(entries), encodeEntries(entries.slice(1)), new Uint8Array(0)];
}
