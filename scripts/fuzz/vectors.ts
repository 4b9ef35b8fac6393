/** An input that once broke something. */
export interface FuzzVector {
  readonly target: string;
  /** What it was. */
  readonly was: string;
  /** Hexadecimal. */
  readonly input: string;
}

/** Inputs that the fuzzer found, and that are tried again for ever. */
export const FUZZ_VECTORS: readonly FuzzVector[] = [
  {
    target: "core",
    was: "a follower went over to a second leader of the term",
    input:
      "1200a0981403a26e3314000000c4940000008c8d314ab50000000000000015000000000000000301" +
      "020100000000000000000000056b65792d3063322d31392d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d" +
      "2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d" +
      "2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d" +
      "2d2d2d11000c981403a26e3203000000c400",
  },
  {
    target: "core",
    was: "a server in the last term that there is campaigned for one that cannot be encoded",
    input: "1100119610cb433fffffffffffffa26e320000c20807070708",
  },
  {
    target: "history",
    was: "minus zero was another time once it was written",
    input: Buffer.from(
      '{"client":"","call":-0,"return":6,"op":{"kind":"get","key":""},"outcome":"fail"}',
    ).toString("hex"),
  },
  {
    target: "snapshot-files",
    was: "a part of a snapshot was resumed whose length is no whole number any more",
    input:
      "51727465536e6170000000019204cc650000000000000005000000000000010101010000000001f4" +
      "20663662383339363530366164326163333162666536643733666130313535653000000000000000" +
      "00000000000000000000000000000000000000000000000000000000000000000000000000000000" +
      "0000000000000000",
  },
  {
    target: "messages",
    was: "minus zero in an event was another number after a trip",
    input:
      "9342009188a873657175656e636500a46b696e64ab766f74654772616e746564a873657665726974" +
      "79a4696e666fa47465726d00a677616c6c4d73cb0000000000000000ab6d6f6e6f746f6e69634d73" +
      "cb0000000000000000a474657874b600000000000000000000000000000000000000000000a76465" +
      "7461696c7384a963616e64696461746500a964757261626c654d73cb0000000000000000a5616761" +
      "696eca80000000a870726576696f757300",
  },
];
