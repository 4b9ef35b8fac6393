import type { ReportedMember, ReportedMembers } from "../members.ts";
import type { Painter } from "./colors.ts";
import type { JsonValue } from "./json.ts";
import { jsonCount } from "./json.ts";
import { HEALTH_TONES } from "./status-table.ts";
import type { Table } from "./table.ts";

/** The members, one a row. */
export function membersTable(found: ReportedMembers, paint: Painter): Table {
  return {
    columns: [
      { heading: "MEMBER" },
      { heading: "ADDRESS" },
      { heading: "VOTE" },
      { heading: "HEALTH" },
      { heading: "CONFIG", align: "right" },
      { heading: "NOTE" },
    ],
    rows: found.members.map((member) => [
      member.id,
      member.address,
      member.isLeader ? paint("strong", "voter, leader") : member.role,
      member.health === null ? "-" : paint(HEALTH_TONES[member.health], member.health),
      String(found.configurationIndex),
      member.note,
    ]),
  };
}

/** A member in JSON. */
export function memberFields(member: ReportedMember): JsonValue {
  const { peer } = member;
  return {
    id: member.id,
    address: member.address,
    role: member.role,
    leader: member.isLeader,
    health: member.health,
    connected: peer?.connected ?? null,
    matchIndex: jsonCount(peer?.matchIndex ?? null),
    catchUpRounds: peer?.catchUpRounds ?? null,
    snapshotOffset: jsonCount(peer?.snapshotOffset ?? null),
    snapshotBytes: jsonCount(peer?.snapshotBytes ?? null),
    note: member.note,
  };
}
