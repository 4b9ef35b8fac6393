import assert from "node:assert/strict";
import { test } from "node:test";
import type { SessionOperation } from "@quorate/wire";
import { ENTRY_DATA_MAX_BYTES, KEY_MAX_BYTES, VALUE_MAX_BYTES } from "@quorate/wire";
import fc from "fast-check";
import { decodeCommand, encodeCommand } from "../../src/kv/command-codec.ts";
import type { CommandEnvelope, KvCommand } from "../../src/kv/kv-command.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const hex = (data: Uint8Array): string => Buffer.from(data).toString("hex");

const key = fc.uint8Array({ minLength: 1, maxLength: 8 });
const safe = fc.maxSafeNat();
const ifRevision = fc.option(safe);
const session: fc.Arbitrary<SessionOperation> = fc
  .record({ sessionId: safe, serial: safe, ackedBelow: safe }, { noNullPrototype: true })
  .filter((one) => one.sessionId >= 1 && one.serial >= 1 && one.ackedBelow <= one.serial);
const change = fc.oneof(
  fc.record({
    kind: fc.constant("put" as const),
    key,
    value: fc.uint8Array({ maxLength: 9 }),
    ifRevision,
  }),
  fc.record({ kind: fc.constant("delete" as const), key, ifRevision }),
);
const sessionCommand = fc.oneof(
  fc.record({
    kind: fc.constant("openSession" as const),
    ttlMs: fc.integer({ min: 1000, max: 86_400_000 }),
  }),
  fc.record({ kind: fc.constantFrom("keepSession", "closeSession"), sessionId: safe }),
);

test("KvCommand: decodes what it encodes", () => {
  fc.assert(
    fc.property(change, fc.option(session), safe, (command, inSession, clusterTimeMs) => {
      const envelope = { clusterTimeMs, session: inSession };
      const decoded = decodeCommand(encodeCommand(command, envelope));
      assert.deepEqual(decoded, { ...command, ...envelope });
    }),
  );
  fc.assert(
    fc.property(sessionCommand, safe, (command, clusterTimeMs) => {
      const envelope = { clusterTimeMs, session: null };
      const decoded = decodeCommand(encodeCommand(command, envelope));
      assert.deepEqual(decoded, { ...command, ...envelope });
    }),
  );
});

test("KvCommand: the largest put with all that can go with it fits an entry", () => {
  const command: KvCommand = {
    kind: "put",
    key: new Uint8Array(KEY_MAX_BYTES).fill(7),
    value: new Uint8Array(VALUE_MAX_BYTES).fill(9),
    ifRevision: Number.MAX_SAFE_INTEGER,
  };
  const envelope: CommandEnvelope = {
    clusterTimeMs: Number.MAX_SAFE_INTEGER,
    session: { sessionId: 1, serial: 2, ackedBelow: 1 },
  };
  const data = encodeCommand(command, envelope);
  assert.ok(data.length <= ENTRY_DATA_MAX_BYTES);
  assert.deepEqual(decodeCommand(data), { ...command, ...envelope });
});

test("KvCommand: version 1, as it lies in old logs, keeps decoding", () => {
  const old = { clusterTimeMs: 0, session: null, ifRevision: null };
  const decode = (text: string): unknown => decodeCommand(Buffer.from(text, "hex"));
  assert.deepEqual(decode("01010002616263"), {
    kind: "put",
    key: Buffer.from("ab"),
    value: Buffer.from("c"),
    ...old,
  });
  assert.deepEqual(decode("010200026162"), { kind: "delete", key: Buffer.from("ab"), ...old });
  assert.deepEqual(decode("010300000000"), {
    kind: "invalid",
    reason: "command kind 3 is unknown",
  });
});

test("KvCommand: golden bytes of version 2", () => {
  const operation = { sessionId: 258, serial: 3, ackedBelow: 2 };
  const put: KvCommand = { kind: "put", key: bytes("ab"), value: bytes("c") };
  const golden: readonly (readonly [Uint8Array, string])[] = [
    [encodeCommand(put), "020100" + "0000000000000000" + "00026162" + "63"],
    [
      encodeCommand({ ...put, ifRevision: 7 }, { clusterTimeMs: 2 ** 32 + 5, session: operation }),
      "020103" +
        "0000000100000005" +
        "0000000000000007" +
        "000000000000010200000000000000030000000000000002" +
        "00026162" +
        "63",
    ],
    [
      encodeCommand({ kind: "delete", key: bytes("ab"), ifRevision: 0 }),
      "020201" + "0000000000000000" + "0000000000000000" + "00026162",
    ],
    [
      encodeCommand({ kind: "openSession", ttlMs: 600_000 }, { clusterTimeMs: 9, session: null }),
      "020300" + "0000000000000009" + "00000000000927c0",
    ],
    [
      encodeCommand({ kind: "keepSession", sessionId: 258 }),
      "020400" + "0000000000000000" + "0000000000000102",
    ],
    [
      encodeCommand({ kind: "closeSession", sessionId: 258 }),
      "020500" + "0000000000000000" + "0000000000000102",
    ],
  ];
  for (const [data, expected] of golden) assert.equal(hex(data), expected);
});

test("KvCommand: whatever the bytes are, decoding gives a command or a reason (§2)", () => {
  const start = fc.constantFrom([2, 1, 3], [2, 1, 1], [2, 2, 0], [2, 3, 0], [2, 4, 0], [1, 1], [2]);
  fc.assert(
    fc.property(start, fc.uint8Array({ maxLength: 60 }), (head, rest) => {
      const decoded = decodeCommand(Uint8Array.from([...head, ...rest]));
      if (decoded.kind === "invalid") assert.ok(decoded.reason.length > 0);
      else assert.deepEqual(decodeCommand(encodeCommand(decoded, decoded)), decoded);
    }),
  );
  const refused = [
    "0203000000000000000900000000000003e7", // 999 ms
    "020300000000000000090000000000000927c000",
    "020301000000000000000900000000000927c0", // a flag where there are none
    "0201040000000000000000" + "00026162" + "63", // an unknown flag
    "020100ffffffffffffffff" + "00026162" + "63", // a cluster time over 2^53
    "0201010000000000000000" + "0020000000000000" + "00026162" + "63", // a revision over 2^53
    "0201020000000000000000" + "000000000000000200000000000000010000000000000002" + "0001" + "61",
    "0201020000000000000000" + "000000000000000200000000000000000000000000000000" + "0001" + "61",
  ];
  for (const text of refused) {
    assert.equal(decodeCommand(Buffer.from(text, "hex")).kind, "invalid", text);
  }
});
