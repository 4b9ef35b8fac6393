import { count, fit, milliseconds } from "../format.ts";
import type { ClusterView } from "../select.ts";
import type { TrafficSample } from "../traffic.ts";
import type { Paint } from "./paint.ts";
import { sparkline } from "./sparkline.ts";

/** Two lines: what is written and read a second, and how long a commit and a sync take. */
export function trafficLines(
  view: ClusterView,
  columns: number,
  paint: Paint,
): readonly [string, string] {
  const { writesPerSecond, readsPerSecond, leader, samples } = view.traffic;
  const commit = latency("commit", leader?.commitP50Ms ?? null, leader?.commitP99Ms ?? null);
  const persist = latency("persist", leader?.persistP50Ms ?? null, leader?.persistP99Ms ?? null);
  const bars = barColumns(columns);
  const line = (rate: string, rateKey: RateKey, figures: string, latencyKey: LatencyKey) => {
    const rates = sparkline(valuesOf(samples, rateKey), bars.rate, RATE_SCALE_LEAST);
    const latencies = sparkline(
      valuesOf(samples, latencyKey),
      bars.latency,
      LATENCY_SCALE_LEAST_MS,
    );
    const left = `${rate} ${paint.tone("dim", rates)}`;
    return ` ${left}  ${fit(figures, FIGURES_COLUMNS)} ${paint.tone("dim", latencies)}`;
  };
  return [
    line(rateWord("writes/s", writesPerSecond), "writesPerSecond", commit, "commitP99Ms"),
    line(rateWord("reads/s", readsPerSecond), "readsPerSecond", persist, "persistP99Ms"),
  ];
}

type RateKey = "writesPerSecond" | "readsPerSecond";
type LatencyKey = "commitP99Ms" | "persistP99Ms";

/** A bar reaches the top at this rate, or at the highest shown. */
const RATE_SCALE_LEAST = 10;
const LATENCY_SCALE_LEAST_MS = 20;

const RATE_COLUMNS = 15;
const FIGURES_COLUMNS = 29;

/** What is left for the two sparklines. */
function barColumns(columns: number): { readonly rate: number; readonly latency: number } {
  const room = Math.max(0, columns - RATE_COLUMNS - FIGURES_COLUMNS - 6);
  const rate = Math.min(60, Math.ceil(room / 2));
  return { rate, latency: Math.min(60, room - rate) };
}

function rateWord(word: string, rate: number | null): string {
  const figure = rate === null ? "-" : count(Math.round(rate), 6);
  return fit(word, 8) + figure.padStart(RATE_COLUMNS - 8);
}

function latency(word: string, p50: number | null, p99: number | null): string {
  const figures = `p50 ${milliseconds(p50).padStart(4)}  p99 ${milliseconds(p99).padStart(4)}`;
  return `${fit(word, 7)} ${figures} ms`;
}

function valuesOf(
  samples: readonly TrafficSample[],
  key: RateKey | LatencyKey,
): readonly (number | null)[] {
  return samples.map((sample) => sample[key]);
}
