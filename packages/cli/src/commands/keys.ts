import { QuorateClient, RequestError } from "@quorate/wire/client";

import type { CommandContext, Target } from "../context.ts";
import { explainFailure } from "../request-failure.ts";
import { resolveTarget } from "../target.ts";

/**
 * Runs one request to the cluster that the command line means, and explains its failure by what
 * the nodes say.
 */
export function requestKeys<T>(
  context: CommandContext,
  request: { readonly isWrite: boolean },
  send: (client: QuorateClient) => Promise<T>,
): Promise<T> {
  return requestFrom(context, resolveTarget(context), request, send);
}

/** The same to a target that is known already. */
export async function requestFrom<T>(
  context: CommandContext,
  target: Target,
  request: { readonly isWrite: boolean },
  send: (client: QuorateClient) => Promise<T>,
): Promise<T> {
  const { timeoutMs } = context.options;
  const client = new QuorateClient({
    endpoints: [...target.endpoints],
    timeoutMs,
    clientName: "quorate",
  });
  const began = performance.now();
  try {
    return await send(client);
  } catch (error) {
    if (!(error instanceof RequestError)) throw error;
    traceAttempts(context, target, error);
    const tookMs = performance.now() - began;
    throw await explainFailure({ error, target, tookMs, isWrite: request.isWrite });
  } finally {
    await client.close();
  }
}

function traceAttempts(context: CommandContext, target: Target, error: RequestError): void {
  context.printer.trace(`${error.code} (${error.outcome}), endpoints: ${target.rule}`);
  for (const attempt of error.attempts) {
    context.printer.trace(`${attempt.endpoint}: ${attempt.error.message}`);
  }
}
