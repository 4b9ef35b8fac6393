import assert from "node:assert/strict";
import test from "node:test";

import fc from "fast-check";
import { Packr } from "msgpackr";

import type { WireMessage } from "../../src/index.ts";
import { decodeBody, DecodeError, encodeFrame, isIdentifier } from "../../src/index.ts";
import { messagesByType, nodeEvent, nodeStatus, wireMessage } from "../arbitraries.ts";
import { laterFields, laterStatusNames } from "../vectors.ts";

/** Another encoder than the one under test: plain msgpackr, which can say more than we may. */
const packr = new Packr({ useRecords: false, useToJSON: false });

function bodyOf(message: WireMessage): Uint8Array {
  return encodeFrame(message).subarray(4);
}

function fieldsOf(message: WireMessage): unknown[] {
  const fields: unknown = packr.unpack(bodyOf(message));
  assert.ok(Array.isArray(fields));
  return fields;
}

function assertBadField(fields: readonly unknown[], field: string | null = null): void {
  assert.throws(
    () => decodeBody(packr.pack(fields)),
    (error) =>
      error instanceof DecodeError &&
      error.code === "badField" &&
      (field === null ? error.field !== null : error.field === field),
  );
}

/** Fields of a message none of which is left out for being the default. */
const LENGTHS: Readonly<Record<string, number>> = {
  Hello: 13,
  Get: 6,
  Put: 6,
  Delete: 5,
  GetReply: 9,
  Subscribe: 6,
};

function lengthOf(message: WireMessage): number {
  return LENGTHS[message.type] ?? 0;
}

test("fields: those behind the known ones are ignored in every message", () => {
  fc.assert(
    fc.property(wireMessage, (message) => {
      const defaults = Object.values(laterFields[message.type] ?? {});
      const known = fieldsOf(message);
      const missing = Math.max(0, lengthOf(message) - known.length);
      const whole = [...known, ...defaults.slice(defaults.length - missing)];
      const later = [...whole, 1, "later", { a: [null] }, Buffer.of(1)];
      assert.deepEqual(decodeBody(packr.pack(later)), message);
    }),
    { numRuns: 300 },
  );
});

for (const [type, arbitrary] of Object.entries<fc.Arbitrary<WireMessage>>(messagesByType)) {
  test(`${type}: refused with a field missing, and with a field of a wrong type`, () => {
    fc.assert(
      fc.property(arbitrary, (message) => {
        const fields = fieldsOf(message);
        const withoutLater =
          Math.max(lengthOf(message), fields.length) - Object.keys(laterFields[type] ?? {}).length;
        for (let at = 1; at < fields.length; at += 1) {
          if (at < withoutLater) assertBadField(fields.slice(0, at));
          assertBadField(fields.with(at, [[]]));
        }
      }),
      { numRuns: 5 },
    );
  });
}

test("integers: negative, fractional, over 2^53 - 1, NaN and other types are refused", () => {
  const bad = [-1, 0.5, 2 ** 53, 2 ** 60, 2n ** 60n, 2n ** 64n - 1n, -(2n ** 60n)];
  const notNumbers = [Number.NaN, Infinity, -Infinity, "1", null, true, [1], {}, Buffer.of(1)];
  for (const value of [...bad, ...notNumbers]) assertBadField([0x03, value], "Ping.nonce");
});

test("integers: every format of MessagePack that holds the value is accepted", () => {
  const formats: readonly (readonly number[])[] = [
    [0x05],
    [0xcc, 5],
    [0xcd, 0, 5],
    [0xce, 0, 0, 0, 5],
    [0xcf, 0, 0, 0, 0, 0, 0, 0, 5],
    [0xd0, 5],
    [0xd1, 0, 5],
    [0xd2, 0, 0, 0, 5],
    [0xd3, 0, 0, 0, 0, 0, 0, 0, 5],
    [0xca, 0x40, 0xa0, 0, 0],
    [0xcb, 0x40, 0x14, 0, 0, 0, 0, 0, 0],
  ];
  for (const format of formats) {
    const body = Uint8Array.of(0x92, 0x03, ...format);
    assert.deepEqual(decodeBody(body), { type: "Ping", nonce: 5 });
  }
});

test("integers: 2^53 - 1 is exact as uint 64 and as float 64", () => {
  const uint64 = Uint8Array.of(0x92, 0x03, 0xcf, 0, 0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff);
  const float64 = Uint8Array.of(0x92, 0x03, 0xcb, 0x43, 0x3f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff);
  for (const body of [uint64, float64]) {
    assert.deepEqual(decodeBody(body), { type: "Ping", nonce: Number.MAX_SAFE_INTEGER });
  }
});

test("integers: a negative zero becomes zero", () => {
  const body = Uint8Array.of(0x92, 0x03, 0xcb, 0x80, 0, 0, 0, 0, 0, 0, 0);
  assert.deepEqual(decodeBody(body), { type: "Ping", nonce: 0 });
});

test("types: a code that this version does not know is refused", () => {
  for (const code of [0, 5, 0x7f, 2 ** 40, -1, "Ping", null, [3]]) {
    assert.throws(
      () => decodeBody(packr.pack([code, 1])),
      (error) => error instanceof DecodeError && error.code === "unknownType",
    );
  }
});

test("identifiers: anything outside their alphabet or length is refused", () => {
  const bad = ["", "-n1", ".n1", "n 1", "n1\n", "né", "n/1", "x".repeat(65), "n1\u0000"];
  for (const id of bad) {
    assert.equal(isIdentifier(id), false);
    assertBadField([0x16, 1, id], "TimeoutNow.leaderId");
  }
  assertBadField([0x16, 1, Buffer.from("n1")], "TimeoutNow.leaderId");
});

test("identifiers: bytes that are not UTF-8 are refused", () => {
  const body = Uint8Array.of(0x93, 0x16, 0x01, 0xa2, 0xff, 0xfe);
  assert.throws(() => decodeBody(body), DecodeError);
});

test("Hello: a peer's name is an identifier, a client's is free", () => {
  const hello = (role: string, from: string): unknown[] => [
    0x01,
    1,
    "c1",
    from,
    null,
    role,
    null,
    "b1",
    null,
    "0.1.0",
    [],
  ];
  assert.equal(decodeBody(packr.pack(hello("client", "a dashboard"))).type, "Hello");
  assertBadField(hello("peer", "a dashboard"), "Hello.from");
  assertBadField(hello("client", ""), "Hello.from");
  assertBadField(hello("client", "x".repeat(65)), "Hello.from");
  assertBadField(hello("admin", "n1"), "Hello.role");
  assertBadField(
    hello("peer", "n1").with(
      10,
      Array.from({ length: 17 }, () => "a"),
    ),
    "Hello.capabilities",
  );
});

test("words: one that is not in the list is refused", () => {
  assertBadField([0x02, "noSuchCode", "", ""], "HelloRefused.code");
  assertBadField([0x3f, 1, "noLeader", "perhaps", "", null, null], "ErrorReply.outcome");
  assertBadField([0x20, 1, Buffer.of(1), 2], "Get.consistency");
});

test("Subscribe: the rate of states lies between 1 and 50", () => {
  for (const rate of [0, 51, 2.5]) {
    assertBadField([0x25, 1, rate, null, 0], "Subscribe.stateRateMaxHz");
  }
});

test("AppendEntries: entries are the run after prevLogIndex, with terms that never fall (§5.3)", () => {
  const base: WireMessage = {
    type: "AppendEntries",
    term: 5,
    leaderId: "n1",
    prevLogIndex: 9,
    prevLogTerm: 3,
    leaderCommit: 9,
    round: 1,
    entries: [],
  };
  const entry = (index: number, term: number) => ({
    index,
    term,
    kind: "command" as const,
    data: Uint8Array.of(1),
  });
  const good = { ...base, entries: [entry(10, 3), entry(11, 5)] };
  assert.deepEqual(decodeBody(bodyOf(good)), good);
  const bad = [
    [entry(11, 3)],
    [entry(9, 3)],
    [entry(10, 3), entry(12, 3)],
    [entry(10, 2)],
    [entry(10, 4), entry(11, 3)],
    [entry(10, 6)],
  ];
  for (const entries of bad)
    assertBadField(fieldsOf({ ...base, entries }), "AppendEntries.entries");
});

test("status: fields of a newer version are ignored, in its members and peers too", () => {
  fc.assert(
    fc.property(nodeStatus, (status) => {
      const newer = {
        ...status,
        later: { a: 1 },
        members: status.members.map((member) => ({ ...member, weight: 2 })),
        peers: status.peers.map((peer) => ({ ...peer, later: true })),
      };
      const decoded = decodeBody(packr.pack([0x33, 1, newer]));
      assert.deepEqual(decoded, { type: "StatusReply", requestId: 1, status });
      const delta = decodeBody(packr.pack([0x41, 1, { later: 1, pid: status.pid }]));
      assert.deepEqual(delta, { type: "StreamDelta", requestId: 1, changed: { pid: status.pid } });
    }),
    { numRuns: 30 },
  );
});

test("status: each missing or wrong field is refused and named", () => {
  fc.assert(
    fc.property(nodeStatus, (status) => {
      for (const name of Object.keys(status)) {
        const { [name as keyof typeof status]: _, ...partial } = status;
        if (!laterStatusNames.includes(name)) {
          assertBadField([0x33, 1, partial], `StatusReply.status.${name}`);
        }
        const wrong = { ...status, [name]: [[]] };
        assert.throws(() => decodeBody(packr.pack([0x40, 1, wrong])), DecodeError);
      }
    }),
    { numRuns: 3 },
  );
});

test("status: a key __proto__ changes no prototype", () => {
  const evil: unknown = JSON.parse('{"__proto__": {"pid": 1}, "uptimeMs": 2}');
  const delta = decodeBody(packr.pack([0x41, 1, evil]));
  assert.deepEqual(delta, { type: "StreamDelta", requestId: 1, changed: { uptimeMs: 2 } });
});

test("events: facts have plain names and plain values", () => {
  const [event] = fc.sample(nodeEvent, { numRuns: 1, seed: 1 });
  const withDetails = (details: unknown): unknown[] => [0x42, 1, [{ ...event, details }]];
  assert.equal(decodeBody(packr.pack(withDetails({ peer: "n2", lost: 3 }))).type, "StreamEvents");
  const bad = [
    { "a b": 1 },
    { "": 1 },
    JSON.parse('{"__proto__": 1}') as unknown,
    { a: {} },
    { a: Number.NaN },
    { a: "x".repeat(513) },
    Object.fromEntries(Array.from({ length: 33 }, (_, n) => [`a${n}`, n])),
    [],
    null,
  ];
  for (const details of bad) {
    assert.throws(() => decodeBody(packr.pack(withDetails(details))), DecodeError);
  }
});

test("texts for people: the sender cuts what the receiver would refuse", () => {
  const long = "é".repeat(600);
  const refused = decodeBody(
    bodyOf({ type: "HelloRefused", code: "wrongNode", message: long, remedy: long }),
  );
  assert.ok(refused.type === "HelloRefused");
  assert.equal(refused.message, "é".repeat(512));
  assert.equal(refused.remedy, "é".repeat(512));
  assertBadField([0x02, "wrongNode", long, ""], "HelloRefused.message");
});
