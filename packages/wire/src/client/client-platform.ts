import { randomUUID } from "node:crypto";

import { type NetworkStack, systemStack } from "../net/index.ts";

/** What a client runs on. */
export interface ClientPlatform {
  /** Its sockets, clock and timers. */
  readonly stack: NetworkStack;
  /** From 0, and below 1: so that clients do not wait in step. */
  readonly random: () => number;
  /** A name that no other client has had. */
  readonly newBootId: () => string;
}

/** The machine's own network, clock and dice. */
export const systemPlatform: ClientPlatform = {
  stack: systemStack,
  random: () => Math.random(),
  newBootId: () => randomUUID(),
};
