/**
 * Histories of what clients asked for and were answered: their format (docs/testing.md), and a
 * checker that tells whether a linearizable store can have given these answers.
 */
export type * from "./operation.ts";
export type * from "./verdict.ts";
export { bytesOfHistory, historyBytes } from "./history-bytes.ts";
export { HistoryError, type HistoryErrorCode } from "./history-error.ts";
export { formatOperation, HistoryWriter } from "./history-writer.ts";
export { parseHistory } from "./parse-history.ts";
export { checkHistory } from "./check-history.ts";
export { describeOperation } from "./describe-operation.ts";
export { formatVerdict } from "./format-verdict.ts";
