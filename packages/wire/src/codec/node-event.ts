/*
 * One event of a node: a map from the names of NodeEvent (client-messages.ts) to their values.
 * `details` is a map from names (a letter, then letters and digits, 64 at most) to text, numbers,
 * booleans and nil.
 */
import type { EventSeverity, NodeEvent } from "../client-messages.ts";
import { NODE_EVENT_KINDS } from "../client-messages.ts";
import {
  asInteger,
  asMeasure,
  asText,
  asWord,
  badField,
  cutText,
  TEXT_MAX_UNITS,
} from "./checks.ts";
import type { Shape } from "./shape.ts";
import { asMap, asShape } from "./shape.ts";

const SEVERITIES: readonly EventSeverity[] = ["info", "good", "warning", "bad"];
const DETAIL_NAME = /^[A-Za-z][A-Za-z0-9]{0,63}$/u;
const DETAILS_MAX = 32;

const NODE_EVENT: Shape<NodeEvent> = {
  sequence: asInteger,
  kind: (value, field) => asWord(value, field, NODE_EVENT_KINDS),
  severity: (value, field) => asWord(value, field, SEVERITIES),
  term: asInteger,
  wallMs: asMeasure,
  monotonicMs: asMeasure,
  text: (value, field) => asText(value, field, TEXT_MAX_UNITS),
  details: asDetails,
};

/** One event. */
export function asNodeEvent(value: unknown, field: string): NodeEvent {
  return asShape(value, field, NODE_EVENT);
}

/** `event` with its texts cut to what {@link asNodeEvent} takes. */
export function cutNodeEvent(event: NodeEvent): NodeEvent {
  const details: Record<string, string | number | boolean | null> = {};
  for (const [name, detail] of Object.entries(event.details)) {
    details[name] = typeof detail === "string" ? cutText(detail) : detail;
  }
  return { ...event, text: cutText(event.text), details };
}

function asDetails(value: unknown, field: string): NodeEvent["details"] {
  const entries = Object.entries(asMap(value, field));
  if (entries.length > DETAILS_MAX) throw badField(field, `a map of at most ${DETAILS_MAX} facts`);
  const details: Record<string, string | number | boolean | null> = {};
  for (const [name, detail] of entries) {
    if (!DETAIL_NAME.test(name)) throw badField(field, "a map with plain names");
    details[name] = asDetail(detail, `${field}.${name}`);
  }
  return details;
}

function asDetail(value: unknown, field: string): string | number | boolean | null {
  if (value === null || typeof value === "boolean") return value;
  if (typeof value === "number" && Number.isFinite(value)) return value + 0; // -0 becomes 0
  return asText(value, field, TEXT_MAX_UNITS);
}
