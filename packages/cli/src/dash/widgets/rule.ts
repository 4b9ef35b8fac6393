import { truncate, widthOf } from "../format.ts";
import type { Paint } from "./paint.ts";

/** A horizontal line with a title at its left and a fact at its right. */
export function rule(title: string, fact: string, columns: number, paint: Paint): string {
  const left = title === "" ? "" : `─ ${truncate(title, Math.max(0, columns - 4))} `;
  const room = columns - widthOf(left);
  const right = fact !== "" && widthOf(fact) + 4 <= room ? ` ${fact} ─` : "";
  const line = "─".repeat(Math.max(0, room - widthOf(right)));
  return paint.tone("dim", left + line + right);
}
