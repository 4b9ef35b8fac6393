/*
 * Changes of members. Fields in their order, behind the type code:
 *
 *   ChangeMembers       requestId, kind, id, withId|nil, address|nil, asLearner,
 *                       expectedConfigurationIndex|nil, force, dryRun
 *   ChangeMembersReply  requestId, configurationIndex, steps (an array of texts)
 *
 * withId stands with kind "replace", address with "add", "replace" and "updateAddress"; with the
 * other kinds they are nil, and asLearner is false but with "add".
 */
import type {
  ChangeMembersReply,
  ChangeMembersRequest,
  MembersChange,
} from "../client-messages.ts";
import type { Check } from "./checks.ts";
import {
  asAddress,
  asArray,
  asBoolean,
  asIdentifier,
  asInteger,
  asIntegerOrNull,
  asText,
  asWord,
  badField,
  cutText,
  TEXT_MAX_UNITS,
} from "./checks.ts";
import type { Codec, Fields } from "./codec.ts";
import { TYPE_CODES } from "./type-codes.ts";

const KINDS: readonly MembersChange["kind"][] = [
  "add",
  "promote",
  "remove",
  "replace",
  "updateAddress",
];

export const changeMembersCodec: Codec<ChangeMembersRequest> = {
  toFields: (m) => [
    TYPE_CODES.ChangeMembers,
    m.requestId,
    m.change.kind,
    m.change.id,
    m.change.kind === "replace" ? m.change.withId : null,
    "address" in m.change ? m.change.address : null,
    m.change.kind === "add" && m.change.asLearner,
    m.expectedConfigurationIndex,
    m.force,
    m.dryRun,
  ],
  fromFields: (fields) => ({
    type: "ChangeMembers",
    requestId: asInteger(fields[1], "ChangeMembers.requestId"),
    change: asChange(fields),
    expectedConfigurationIndex: asIntegerOrNull(
      fields[7],
      "ChangeMembers.expectedConfigurationIndex",
    ),
    force: asBoolean(fields[8], "ChangeMembers.force"),
    dryRun: asBoolean(fields[9], "ChangeMembers.dryRun"),
  }),
};

function asChange(fields: Fields): MembersChange {
  const kind = asWord(fields[2], "ChangeMembers.kind", KINDS);
  const id = asIdentifier(fields[3], "ChangeMembers.id");
  const asLearner = asBoolean(fields[6], "ChangeMembers.asLearner");
  const withId = onlyWhere(kind === "replace", asIdentifier)(fields[4], "ChangeMembers.withId");
  const hasAddress = kind !== "promote" && kind !== "remove";
  const address = onlyWhere(hasAddress, asAddress)(fields[5], "ChangeMembers.address");
  switch (kind) {
    case "add":
      return { kind, id, address, asLearner };
    case "replace":
      return { kind, id, withId, address };
    case "updateAddress":
      return { kind, id, address };
    case "promote":
    case "remove":
      return { kind, id };
  }
}

/** `check` where the field is wanted; otherwise the field must be nil, and is "" for nobody. */
function onlyWhere(isWanted: boolean, check: Check<string>): Check<string> {
  return (value, field) => {
    if (isWanted) return check(value, field);
    if (value !== null) throw badField(field, "nil");
    return "";
  };
}

export const changeMembersReplyCodec: Codec<ChangeMembersReply> = {
  toFields: (m) => [
    TYPE_CODES.ChangeMembersReply,
    m.requestId,
    m.configurationIndex,
    m.steps.map(cutText),
  ],
  fromFields: (fields) => ({
    type: "ChangeMembersReply",
    requestId: asInteger(fields[1], "ChangeMembersReply.requestId"),
    configurationIndex: asInteger(fields[2], "ChangeMembersReply.configurationIndex"),
    steps: asArray(fields[3], "ChangeMembersReply.steps", (step, field) =>
      asText(step, field, TEXT_MAX_UNITS),
    ),
  }),
};
