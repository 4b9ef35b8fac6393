/*
 * A configuration as the data of a `configuration` entry: a MessagePack array.
 *
 *   0  voters          identifiers, at least one
 *   1  votersOutgoing  identifiers; empty outside joint consensus (Raft §6)
 *   2  learners        identifiers, none of them in the other two lists
 *
 * Each list is sorted by its bytes and free of duplicates.
 */
import type { NodeId } from "../ids.ts";
import type { Configuration } from "../log-entry.ts";
import { asArray, asIdentifier, badField } from "./checks.ts";
import { packValue, unpackFields } from "./message-pack.ts";

/** `configuration` as an entry's data, owned by the caller. */
export function encodeConfiguration(configuration: Configuration): Uint8Array {
  const { voters, votersOutgoing, learners } = configuration;
  return packValue([voters, votersOutgoing, learners]);
}

/**
 * The configuration in an entry's data.
 *
 * @throws DecodeError where `data` is not one, or breaks a rule of {@link Configuration}.
 */
export function decodeConfiguration(data: Uint8Array): Configuration {
  const fields = unpackFields(data);
  const voters = asMembers(fields[0], "Configuration.voters");
  const votersOutgoing = asMembers(fields[1], "Configuration.votersOutgoing");
  const learners = asMembers(fields[2], "Configuration.learners");
  if (voters.length === 0) throw badField("Configuration.voters", "a list of at least one node");
  if (learners.some((id) => voters.includes(id) || votersOutgoing.includes(id))) {
    throw badField("Configuration.learners", "free of voters");
  }
  return { voters, votersOutgoing, learners };
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
