/*
 * What a connection says about itself. Fields in their order, behind the type code:
 *
 *   Hello         protocolVersion, clusterId|nil, from, to|nil, role, incarnation|nil, bootId,
 *                 advertiseAddress|nil, softwareVersion, capabilities, bootNumber|nil,
 *                 configurationIndex|nil
 *   HelloRefused  code, message, remedy
 *   Ping, Pong    nonce
 */
import type { Ping, Pong } from "../client-messages.ts";
import type { ConnectionRole, Hello, HelloRefused } from "../hello.ts";
import { HELLO_REFUSAL_CODES } from "../hello.ts";
import {
  asAddress,
  asArray,
  asIdentifier,
  asIdentifierOrNull,
  asInteger,
  asIntegerOrNull,
  asName,
  asText,
  asWord,
  badField,
  cutText,
  TEXT_MAX_UNITS,
} from "./checks.ts";
import type { Codec, Fields } from "./codec.ts";
import { fieldOr, withoutDefaults } from "./codec.ts";
import { TYPE_CODES } from "./type-codes.ts";

const ROLES: readonly ConnectionRole[] = ["peer", "client"];
const CAPABILITIES_MAX = 16;

export const helloCodec: Codec<Hello> = {
  toFields: (m) => {
    const { protocolVersion, clusterId, from, to, role, incarnation, bootId } = m;
    const who = [clusterId, from, to, role, incarnation, bootId, m.advertiseAddress];
    const what = [m.softwareVersion, m.capabilities, m.bootNumber, m.configurationIndex];
    return withoutDefaults([TYPE_CODES.Hello, protocolVersion, ...who, ...what], [null, null]);
  },
  fromFields: decodeHello,
};

function decodeHello(fields: Fields): Hello {
  const role = asWord(fields[5], "Hello.role", ROLES);
  const advertiseAddress =
    fields[8] === null ? null : asAddress(fields[8], "Hello.advertiseAddress");
  return {
    type: "Hello",
    protocolVersion: asInteger(fields[1], "Hello.protocolVersion"),
    clusterId: asIdentifierOrNull(fields[2], "Hello.clusterId"),
    from: role === "peer" ? asIdentifier(fields[3], "Hello.from") : asName(fields[3], "Hello.from"),
    to: asIdentifierOrNull(fields[4], "Hello.to"),
    role,
    incarnation: asIdentifierOrNull(fields[6], "Hello.incarnation"),
    bootId: asIdentifier(fields[7], "Hello.bootId"),
    advertiseAddress,
    softwareVersion: asName(fields[9], "Hello.softwareVersion"),
    capabilities: asCapabilities(fields[10]),
    bootNumber: asIntegerOrNull(fieldOr(fields, 11, null), "Hello.bootNumber"),
    configurationIndex: asIntegerOrNull(fieldOr(fields, 12, null), "Hello.configurationIndex"),
  };
}

function asCapabilities(value: unknown): string[] {
  const capabilities = asArray(value, "Hello.capabilities", asName);
  if (capabilities.length > CAPABILITIES_MAX) {
    throw badField("Hello.capabilities", `a list of at most ${CAPABILITIES_MAX} names`);
  }
  return capabilities;
}

export const helloRefusedCodec: Codec<HelloRefused> = {
  toFields: (m) => [TYPE_CODES.HelloRefused, m.code, cutText(m.message), cutText(m.remedy)],
  fromFields: (fields) => ({
    type: "HelloRefused",
    code: asWord(fields[1], "HelloRefused.code", HELLO_REFUSAL_CODES),
    message: asText(fields[2], "HelloRefused.message", TEXT_MAX_UNITS),
    remedy: asText(fields[3], "HelloRefused.remedy", TEXT_MAX_UNITS),
  }),
};

export const pingCodec: Codec<Ping> = {
  toFields: (m) => [TYPE_CODES.Ping, m.nonce],
  fromFields: (fields) => ({ type: "Ping", nonce: asInteger(fields[1], "Ping.nonce") }),
};

export const pongCodec: Codec<Pong> = {
  toFields: (m) => [TYPE_CODES.Pong, m.nonce],
  fromFields: (fields) => ({ type: "Pong", nonce: asInteger(fields[1], "Pong.nonce") }),
};
