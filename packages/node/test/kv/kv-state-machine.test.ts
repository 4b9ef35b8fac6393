import assert from "node:assert/strict";
import { test } from "node:test";
import type { LogEntry } from "@quorate/wire";
import fc from "fast-check";
import type { KeyChange, KvCommand } from "../../src/kv/kv-command.ts";
import { encodeCommand } from "../../src/kv/command-codec.ts";
import type { KvResult } from "../../src/kv/kv-result.ts";
import { KvStateMachine } from "../../src/kv/kv-state-machine.ts";

const key = fc.uint8Array({ minLength: 1, maxLength: 3, max: 3 });
const command: fc.Arbitrary<KeyChange> = fc.oneof(
  fc.tuple(key, fc.uint8Array({ maxLength: 6 })).map(([k, value]): KeyChange => {
    return { kind: "put", key: k, value };
  }),
  key.map((k): KeyChange => ({ kind: "delete", key: k })),
);

interface ModelRecord {
  readonly value: string;
  readonly create: number;
  readonly mod: number;
  readonly version: number;
}

function entryOf(index: number, data: Uint8Array): LogEntry {
  return { index, term: 1, kind: "command", data };
}

function applyAll(machine: KvStateMachine, commands: readonly KvCommand[]): KvResult[] {
  return commands.map((one, offset) => machine.apply(entryOf(offset + 1, encodeCommand(one))));
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

test("KvStateMachine: behaves as a map with revisions", () => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 60, size: "max" }), (commands) => {
      const machine = new KvStateMachine();
      const model = new Map<string, ModelRecord>();
      let revision = 0;
      const results = applyAll(machine, commands);
      for (const [offset, one] of commands.entries()) {
        const name = one.key.join(",");
        const before = model.get(name);
        const result = results[offset];
        const at = { index: offset + 1, term: 1 };
        if (one.kind === "put") {
          revision += 1;
          model.set(name, {
            value: one.value.join(","),
            create: before?.create ?? revision,
            mod: revision,
            version: (before?.version ?? 0) + 1,
          });
          const created = before === undefined;
          assert.deepEqual(result, { kind: "put", revision, created, at });
        } else {
          if (before !== undefined) revision += 1;
          model.delete(name);
          const deleted = before !== undefined;
          assert.deepEqual(result, { kind: "deleted", revision, deleted, at });
        }
      }
      assert.equal(machine.revision, revision);
      assert.equal(machine.keyCount, model.size);
      for (const one of commands) {
        const expected = model.get(one.key.join(","));
        const found = machine.get(one.key);
        assert.equal(found?.value.join(","), expected?.value);
        assert.equal(found?.createRevision, expected?.create);
        assert.equal(found?.modRevision, expected?.mod);
        assert.equal(found?.version, expected?.version);
      }
    }),
  );
});

test("KvStateMachine: equal entries give equal states and hashes, and a lost one differs", () => {
  fc.assert(
    fc.property(fc.array(command, { minLength: 1, maxLength: 40 }), fc.nat(), (commands, at) => {
      const [a, b, c] = [new KvStateMachine(), new KvStateMachine(), new KvStateMachine()];
      assert.deepEqual(applyAll(a, commands), applyAll(b, commands));
      assert.equal(a.stateHash(), b.stateHash());
      const lost = at % commands.length;
      applyAll(c, commands.toSpliced(lost, 1));
      // Without a delete of an absent key nothing is missing, and two losses may make up in number:
      // where the revisions differ, so do the states.
      if (a.revision !== c.revision) assert.notEqual(a.stateHash(), c.stateHash());
    }),
  );
});

test("KvStateMachine: the hash sees a changed value, key and revision", () => {
  const hashOf = (...commands: KvCommand[]): string => {
    const machine = new KvStateMachine();
    applyAll(machine, commands);
    return machine.stateHash();
  };
  const put = (name: string, value: string): KvCommand => {
    return { kind: "put", key: bytes(name), value: bytes(value) };
  };
  const hashes = [
    hashOf(),
    hashOf(put("a", "1")),
    hashOf(put("a", "2")),
    hashOf(put("b", "1")),
    hashOf(put("a", "1"), put("b", "2")),
    hashOf(put("b", "2"), put("a", "1")),
    hashOf(put("a", "1"), { kind: "delete", key: bytes("a") }),
  ];
  assert.equal(new Set(hashes).size, hashes.length);
  for (const hash of hashes) assert.match(hash, /^[0-9a-f]{16}$/u);
});

test("KvStateMachine: bad commands are the same refusal everywhere and change nothing (§2)", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 12 }), (data) => {
      const [a, b] = [new KvStateMachine(), new KvStateMachine()];
      applyAll(a, [{ kind: "put", key: bytes("k"), value: bytes("v") }]);
      applyAll(b, [{ kind: "put", key: bytes("k"), value: bytes("v") }]);
      const before = a.stateHash();
      const result = a.apply(entryOf(2, data));
      assert.deepEqual(result, b.apply(entryOf(2, data)));
      if (result.kind === "invalid") assert.equal(a.stateHash(), before);
    }),
  );
});

test("KvStateMachine: keeps its own copy of a value", () => {
  const machine = new KvStateMachine();
  const data = encodeCommand({ kind: "put", key: bytes("k"), value: bytes("value") });
  machine.apply(entryOf(1, data));
  data.fill(0);
  assert.deepEqual(machine.get(bytes("k"))?.value, bytes("value"));
  assert.equal(machine.get(bytes("k"))?.value.buffer.byteLength, 5);
});

test("KvStateMachine: keys are bytes, not text", () => {
  const machine = new KvStateMachine();
  applyAll(machine, [
    { kind: "put", key: Uint8Array.of(0xff), value: bytes("1") },
    { kind: "put", key: Uint8Array.of(0xc3, 0xbf), value: bytes("2") },
  ]);
  assert.equal(machine.keyCount, 2);
  assert.deepEqual(machine.get(Uint8Array.of(0xff))?.value, bytes("1"));
});
