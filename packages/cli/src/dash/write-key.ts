import type { QuorateClient } from "@quorate/wire/client";
import { RequestError } from "@quorate/wire/client";
import { milliseconds } from "./format.ts";
import type { StatusMessage } from "./ui-state.ts";

/** How long the prompt waits for a write. */
const WRITE_TIMEOUT_MS = 5_000;

/** Writes one key and says what came of it, the outcome above all. Never rejects. */
export async function writeKey(
  client: QuorateClient,
  key: string,
  value: string,
): Promise<StatusMessage> {
  const startedAt = performance.now();
  try {
    const { revision, index, term } = await client.put(key, value, {
      timeoutMs: WRITE_TIMEOUT_MS,
    });
    const took = `${milliseconds(performance.now() - startedAt)} ms`;
    const where = `revision ${revision}, entry ${index} of term ${term}`;
    return { severity: "good", text: `wrote ${key} (${where}, ${took})` };
  } catch (error) {
    return failure(key, error);
  }
}

function failure(key: string, error: unknown): StatusMessage {
  const why = error instanceof Error ? error.message : String(error);
  if (error instanceof RequestError && error.outcome === "unknown") {
    const text = `outcome of ${key} unknown, it may still be written: ${why}`;
    return { severity: "warning", text };
  }
  return { severity: "bad", text: `${key} was not written: ${why}` };
}
