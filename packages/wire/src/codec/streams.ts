/*
 * What a node sends on a stream that a Subscribe opened. Fields in their order, behind the type
 * code:
 *
 *   StreamState   requestId, status (a map, node-status.ts)
 *   StreamDelta   requestId, changed (a map with some of the status's names)
 *   StreamEvents  requestId, events (an array of maps, node-event.ts)
 *   StreamTick    requestId, monotonicMs
 *   StreamGap     requestId, lost
 */
import type {
  StreamDelta,
  StreamEvents,
  StreamGap,
  StreamState,
  StreamTick,
} from "../client-messages.ts";
import { asArray, asInteger, asMeasure } from "./checks.ts";
import type { Codec } from "./codec.ts";
import { asNodeEvent, cutNodeEvent } from "./node-event.ts";
import { asNodeStatus, asPartOfNodeStatus } from "./node-status.ts";
import { TYPE_CODES } from "./type-codes.ts";

export const streamStateCodec: Codec<StreamState> = {
  toFields: (m) => [TYPE_CODES.StreamState, m.requestId, m.status],
  fromFields: (fields) => ({
    type: "StreamState",
    requestId: asInteger(fields[1], "StreamState.requestId"),
    status: asNodeStatus(fields[2], "StreamState.status"),
  }),
};

export const streamDeltaCodec: Codec<StreamDelta> = {
  toFields: (m) => [TYPE_CODES.StreamDelta, m.requestId, m.changed],
  fromFields: (fields) => ({
    type: "StreamDelta",
    requestId: asInteger(fields[1], "StreamDelta.requestId"),
    changed: asPartOfNodeStatus(fields[2], "StreamDelta.changed"),
  }),
};

export const streamEventsCodec: Codec<StreamEvents> = {
  toFields: (m) => [TYPE_CODES.StreamEvents, m.requestId, m.events.map(cutNodeEvent)],
  fromFields: (fields) => ({
    type: "StreamEvents",
    requestId: asInteger(fields[1], "StreamEvents.requestId"),
    events: asArray(fields[2], "StreamEvents.events", asNodeEvent),
  }),
};

export const streamTickCodec: Codec<StreamTick> = {
  toFields: (m) => [TYPE_CODES.StreamTick, m.requestId, m.monotonicMs],
  fromFields: (fields) => ({
    type: "StreamTick",
    requestId: asInteger(fields[1], "StreamTick.requestId"),
    monotonicMs: asMeasure(fields[2], "StreamTick.monotonicMs"),
  }),
};

export const streamGapCodec: Codec<StreamGap> = {
  toFields: (m) => [TYPE_CODES.StreamGap, m.requestId, m.lost],
  fromFields: (fields) => ({
    type: "StreamGap",
    requestId: asInteger(fields[1], "StreamGap.requestId"),
    lost: asInteger(fields[2], "StreamGap.lost"),
  }),
};
