/*
 * A configuration as the data of a `configuration` entry: a MessagePack array.
 *
 *   0  voters          identifiers; empty only on a server that waits to be added
 *   1  votersOutgoing  identifiers; empty outside joint consensus (Raft §6)
 *   2  learners        identifiers, none of them in the other two lists
 *   3  staging         identifiers, all of them learners
 *   4  addresses       arrays of identifier and "host:port", sorted by identifier
 *   5  retired         identifiers, none of them a member
 *
 * Each list is sorted by its bytes and free of duplicates. Fields 3 to 5 may be absent: empty.
 */
import type { NodeId } from "../ids.ts";
import type { Configuration, MemberAddress } from "../log-entry.ts";
import { asAddress, asArray, asIdentifier, badField } from "./checks.ts";
import { packValue, unpackFields } from "./message-pack.ts";

/** `configuration` as an entry's data, owned by the caller. */
export function encodeConfiguration(configuration: Configuration): Uint8Array {
  return packValue(configurationToFields(configuration));
}

/** The array of `configuration`, to stand in a message. */
export function configurationToFields(configuration: Configuration): unknown[] {
  const { voters, votersOutgoing, learners, staging, addresses, retired } = configuration;
  const places = addresses.map(({ id, address }) => [id, address]);
  return [voters, votersOutgoing, learners, staging, places, retired];
}

/**
 * The configuration in an entry's data.
 *
 * @throws DecodeError where `data` is not one, or breaks a rule of {@link Configuration}.
 */
export function decodeConfiguration(data: Uint8Array): Configuration {
  return configurationFromFields(unpackFields(data));
}

/** As {@link decodeConfiguration}, of the array that stands in a message. */
export function configurationFromFields(fields: readonly unknown[]): Configuration {
  const voters = asMembers(fields[0], "Configuration.voters");
  const votersOutgoing = asMembers(fields[1], "Configuration.votersOutgoing");
  const learners = asMembers(fields[2], "Configuration.learners");
  const staging = asMembers(fields[3] ?? [], "Configuration.staging");
  const addresses = asAddresses(fields[4] ?? []);
  const retired = asMembers(fields[5] ?? [], "Configuration.retired");
  const isVoter = (id: NodeId): boolean => voters.includes(id) || votersOutgoing.includes(id);
  if (learners.some(isVoter)) throw badField("Configuration.learners", "free of voters");
  if (!staging.every((id) => learners.includes(id))) {
    throw badField("Configuration.staging", "a part of the learners");
  }
  if (retired.some((id) => isVoter(id) || learners.includes(id))) {
    throw badField("Configuration.retired", "free of members");
  }
  return { voters, votersOutgoing, learners, staging, addresses, retired };
}

function asAddresses(value: unknown): MemberAddress[] {
  const field = "Configuration.addresses";
  const pairs = asArray(value, field, (pair) => {
    const [id, address] = asArray(pair, field, (part) => part);
    return { id: asIdentifier(id, field), address: asAddress(address, field) };
  });
  asMembers(
    pairs.map(({ id }) => id),
    field,
  );
  return pairs;
}

function asMembers(value: unknown, field: string): NodeId[] {
  const members = asArray(value, field, asIdentifier);
  for (const [offset, id] of members.entries()) {
    const previous = members[offset - 1];
    if (previous !== undefined && previous >= id) {
      throw badField(field, "sorted and free of duplicates");
    }
  }
  return members;
}
