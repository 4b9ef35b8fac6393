import assert from "node:assert/strict";
import { test } from "node:test";

import { formatAddress, parseAddress } from "@quorate/wire/net";

test("parseAddress: reads names, IPv4 and bracketed IPv6, and formatAddress writes them", () => {
  const cases = [
    ["127.0.0.1:7001", { host: "127.0.0.1", port: 7001 }],
    ["node-1.example.org:1", { host: "node-1.example.org", port: 1 }],
    ["[::1]:65535", { host: "::1", port: 65_535 }],
    ["[fe80::1%eth0]:7001", { host: "fe80::1%eth0", port: 7001 }],
    ["localhost:0", { host: "localhost", port: 0 }],
  ] as const;
  for (const [text, address] of cases) {
    assert.deepEqual(parseAddress(text), address);
    assert.equal(formatAddress(address), text);
  }
});

test("parseAddress: refuses what is not host:port", () => {
  const wrong = ["", ":", "n1", "n1:", ":7001", "n1:65536", "n1:-1", "n1:7e3", "::1:7001", "a b:1"];
  for (const text of [...wrong, "[::1]", "[n1]:7001", "http://n1:7001", "n1:7001 "]) {
    assert.equal(parseAddress(text), null, text);
  }
});
