import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";

import { ConnectionError, dial } from "@quorate/wire/net";
import { connectTo, helloFrom, host, Recorder } from "./peers.ts";

const CIPHERS = { ciphers: "PSK", minVersion: "TLSv1.2", maxVersion: "TLSv1.2" } as const;

function sharedKey(psk: Buffer) {
  return {
    server: { ...CIPHERS, pskCallback: () => psk },
    client: {
      ...CIPHERS,
      pskCallback: () => ({ psk, identity: "tester" }),
      checkServerIdentity: () => undefined,
    },
  };
}

test("TLS: carries hellos and messages", async (t) => {
  const key = sharedKey(randomBytes(32));
  const server = await host(t, { tls: key.server });
  const { connection } = await connectTo(t, server.address, { tls: key.client });
  connection.send({ type: "Status", requestId: 5 });
  assert.deepEqual(await server.first().recorder.received(1), [{ type: "Status", requestId: 5 }]);
});

test("TLS: a wrong key and a plain dialer are errors on both sides, and nothing more", async (t) => {
  const server = await host(t, { tls: sharedKey(randomBytes(32)).server, helloTimeoutMs: 300 });
  const wrongKey = sharedKey(randomBytes(32)).client;
  for (const tls of [{ tls: wrongKey }, {}]) {
    const { connected } = dial({
      address: server.address,
      hello: helloFrom("tester"),
      connectTimeoutMs: 1000,
      handlers: new Recorder(),
      ...tls,
    });
    await assert.rejects(connected, (error: unknown) => {
      assert.ok(error instanceof ConnectionError);
      assert.ok(["protocol", "reset", "closed"].includes(error.kind), error.message);
      return true;
    });
  }
  assert.equal(server.accepted.length, 0);
  assert.equal((await server.rejected(2)).length, 2);
});
