import { setTimeout as sleep } from "node:timers/promises";

import type { ClusterId, Hello, NodeId } from "@quorate/wire";
import { PROTOCOL_VERSION } from "@quorate/wire";
import { ConnectionError, dial } from "@quorate/wire/net";

import { softwareVersion } from "../version.ts";

/** Whom to greet. Null: whoever answers. */
export interface GreetingTarget {
  readonly address: string;
  readonly clusterId: ClusterId | null;
  readonly nodeId: NodeId | null;
}

const RETRY_INTERVAL_MS = 15;

function helloTo(target: GreetingTarget): Hello {
  return {
    type: "Hello",
    protocolVersion: PROTOCOL_VERSION,
    clusterId: target.clusterId,
    from: "quorate",
    to: target.nodeId,
    role: "client",
    incarnation: null,
    bootId: `cli-${process.pid}`,
    advertiseAddress: null,
    softwareVersion: softwareVersion(),
    capabilities: [],
    bootNumber: null,
    configurationIndex: null,
  };
}

/**
 * Connects, exchanges hellos and hangs up: proof of who listens there.
 *
 * @throws ConnectionError when nobody does, when it is somebody else, or when it stays silent.
 */
export async function greet(target: GreetingTarget, timeoutMs: number): Promise<Hello> {
  const connection = await dial({
    address: target.address,
    hello: helloTo(target),
    connectTimeoutMs: timeoutMs,
    handlers: {
      onMessage: () => undefined,
      onBatchEnd: () => undefined,
      onClose: () => undefined,
    },
  }).connected;
  const hello = connection.remoteHello;
  connection.close();
  return hello;
}

/** Greets until somebody answers: for a process that has just been started. */
export async function greetUntilReady(
  target: GreetingTarget,
  deadline: number,
  signal: AbortSignal | null,
): Promise<Hello> {
  for (;;) {
    signal?.throwIfAborted();
    const leftMs = deadline - performance.now();
    try {
      // One attempt after the other.
      return await greet(target, Math.max(50, leftMs));
    } catch (error) {
      const mayCome = error instanceof ConnectionError && error.kind !== "helloRefused";
      if (!mayCome || performance.now() > deadline) throw error;
    }
    // Nobody tells when a port begins to listen.
    await sleep(RETRY_INTERVAL_MS);
  }
}
