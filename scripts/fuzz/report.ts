import type { FuzzSession } from "./session.ts";
import type { Finding } from "./target.ts";

/** What a report tells beside the figures. */
export interface ReportContext {
  readonly seed: string;
  readonly workers: number;
  readonly isInterrupted: boolean;
  /** Targets that did nothing: the run proves nothing of them. */
  readonly idle: readonly string[];
}

export function summaryLine(session: FuzzSession, limitMs: number): string {
  const figures = [...session.figures().values()];
  const executions = figures.reduce((sum, own) => sum + own.executions, 0);
  const leftS = Math.max(0, (limitMs - session.elapsedMs) / 1000);
  return [
    `${executions} inputs`,
    `${((executions / session.elapsedMs) * 1000).toFixed(0)}/s`,
    `${figures.length} targets`,
    `${session.findings.length} findings`,
    `${leftS.toFixed(0)} s left`,
  ].join(" · ");
}

/** A finding for people: what broke, the input, and the one command that shows it again. */
export function describeFinding({ target, seed, what, stack, input }: Finding): string {
  const hex = hexOf(input);
  return [
    `${target}, seed ${seed}: ${what}`,
    ...(stack === null ? [] : [stack]),
    `input: ${hex === "" ? "(empty)" : hex}`,
    `replay it: ${replayCommand(target, hex)}`,
  ].join("\n");
}

export function reportText(session: FuzzSession, context: ReportContext): string {
  const { seed, workers, idle, isInterrupted } = context;
  const lines = [`seed ${seed}, ${workers} threads, ${(session.elapsedMs / 1000).toFixed(1)} s`];
  lines.push(`  ${"target".padEnd(20)}${cells(["inputs", "a second", "accepted", "corpus"])}`);
  for (const [name, { executions, accepted, corpus, spentMs }] of session.figures()) {
    const rate = spentMs === 0 ? 0 : (executions / spentMs) * 1000;
    const share = `${executions === 0 ? 0 : ((accepted / executions) * 100).toFixed(0)} %`;
    lines.push(`  ${name.padEnd(20)}${cells([executions, rate.toFixed(0), share, corpus])}`);
  }
  if (idle.length > 0) lines.push(`proves too little: nothing was accepted: ${idle.join(", ")}`);
  if (isInterrupted) lines.push("interrupted");
  const { length } = session.findings;
  lines.push(length === 0 ? "nothing broke" : `${length} findings`);
  return lines.join("\n");
}

export function reportJson(session: FuzzSession, context: ReportContext): string {
  const { seed, workers, idle, isInterrupted } = context;
  const findings = session.findings.map((finding) => {
    const input = hexOf(finding.input);
    return { ...finding, input, replay: replayCommand(finding.target, input) };
  });
  return JSON.stringify({
    ok: findings.length === 0 && idle.length === 0 && !isInterrupted,
    interrupted: isInterrupted,
    seed,
    workers,
    elapsedMs: session.elapsedMs,
    targets: Object.fromEntries(session.figures()),
    idle,
    findings,
  });
}

function cells(texts: readonly (string | number)[]): string {
  return texts.map((text) => String(text).padStart(10)).join("");
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

function replayCommand(target: string, hex: string): string {
  return `npm run fuzz -- --target ${target} --input '${hex}'`;
}
