import { readFileSync } from "node:fs";

import { type Hello, PROTOCOL_VERSION } from "../hello.ts";

const NAME_MAX_UNITS = 64;

/** What a client says first: it takes whichever cluster and node answers. */
export function clientHello(clientName: string, bootId: string): Hello {
  return {
    type: "Hello",
    protocolVersion: PROTOCOL_VERSION,
    clusterId: null,
    from: clientName === "" ? "client" : clientName.slice(0, NAME_MAX_UNITS),
    to: null,
    role: "client",
    incarnation: null,
    bootId,
    advertiseAddress: null,
    softwareVersion: SOFTWARE_VERSION,
    capabilities: [],
    bootNumber: null,
    configurationIndex: null,
  };
}

/** Beside `src` as beside `dist`. */
const SOFTWARE_VERSION: string = readVersion(new URL("../../package.json", import.meta.url));

function readVersion(file: URL): string {
  const content: unknown = JSON.parse(readFileSync(file, "utf8"));
  const isObject = typeof content === "object" && content !== null && "version" in content;
  return isObject && typeof content.version === "string" ? content.version : "unknown";
}
