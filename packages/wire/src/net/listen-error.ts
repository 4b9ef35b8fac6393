import { QuorateError } from "../errors.ts";
import { type Address, formatAddress } from "./address.ts";

/**
 * `addressInUse`: another process listens there. `addressUnavailable`: not an address of this
 * machine. `permission`: the port needs more rights.
 */
export type ListenErrorCode = "addressInUse" | "addressUnavailable" | "permission" | "failed";

const CODE_BY_SYSTEM_CODE: Readonly<Record<string, ListenErrorCode>> = {
  EADDRINUSE: "addressInUse",
  EADDRNOTAVAIL: "addressUnavailable",
  ENOTFOUND: "addressUnavailable",
  EAI_AGAIN: "addressUnavailable",
  EACCES: "permission",
};

/** An address that cannot be listened at. `cause` is what the operating system said. */
export class ListenError extends QuorateError {
  override readonly name = "ListenError";
  override readonly code: ListenErrorCode;
  readonly address: string;

  constructor(cause: Error, wanted: Address) {
    const address = formatAddress(wanted);
    super(`cannot listen at ${address}: ${cause.message}`, { cause });
    const systemCode = "code" in cause && typeof cause.code === "string" ? cause.code : "";
    this.code = CODE_BY_SYSTEM_CODE[systemCode] ?? "failed";
    this.address = address;
  }
}
