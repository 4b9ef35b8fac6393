/*
 * Faults of a node's lines. Fields in their order, behind the type code:
 *
 *   SetFaults       requestId, rules, ttlMs
 *   SetFaultsReply  requestId, rules, ttlMs
 *
 * Rules are an array of maps: peer, direction, dropRate, delayMs.
 */
import type { LinkFault, SetFaultsReply, SetFaultsRequest } from "../client-messages.ts";
import { asArray, asFraction, asIdentifier, asInteger, asMeasure, asWord } from "./checks.ts";
import type { Codec } from "./codec.ts";
import type { Shape } from "./shape.ts";
import { asShape } from "./shape.ts";
import { TYPE_CODES } from "./type-codes.ts";

const DIRECTIONS: readonly LinkFault["direction"][] = ["to", "from"];

const LINK_FAULT: Shape<LinkFault> = {
  peer: asIdentifier,
  direction: (value, field) => asWord(value, field, DIRECTIONS),
  dropRate: asFraction,
  delayMs: asMeasure,
};

/** A list of faults. */
export function asLinkFaults(value: unknown, field: string): LinkFault[] {
  return asArray(value, field, (element) => asShape(element, field, LINK_FAULT));
}

export const setFaultsCodec: Codec<SetFaultsRequest> = {
  toFields: (m) => [TYPE_CODES.SetFaults, m.requestId, m.rules, m.ttlMs],
  fromFields: (fields) => ({
    type: "SetFaults",
    requestId: asInteger(fields[1], "SetFaults.requestId"),
    rules: asLinkFaults(fields[2], "SetFaults.rules"),
    ttlMs: asMeasure(fields[3], "SetFaults.ttlMs"),
  }),
};

export const setFaultsReplyCodec: Codec<SetFaultsReply> = {
  toFields: (m) => [TYPE_CODES.SetFaultsReply, m.requestId, m.rules, m.ttlMs],
  fromFields: (fields) => ({
    type: "SetFaultsReply",
    requestId: asInteger(fields[1], "SetFaultsReply.requestId"),
    rules: asLinkFaults(fields[2], "SetFaultsReply.rules"),
    ttlMs: asMeasure(fields[3], "SetFaultsReply.ttlMs"),
  }),
};
