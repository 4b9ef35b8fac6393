/** How streams of bytes behave. Chances are per what they name; times are in microseconds. */
export interface StreamFaults {
  /** Until a byte arrives: at least this, and on average so much more. */
  readonly latencyMinUs: number;
  readonly latencyMeanUs: number;
  /** Arrivals fall on multiples of this, so that several come in one read. 1: any. */
  readonly arrivalGridUs: number;
  readonly bytesPerMs: number;
  /** What the systems of both sides hold of bytes that nobody has read; beyond it the sender waits. */
  readonly windowBytes: number;
  /** Largest piece in which bytes travel. */
  readonly segmentMaxBytes: number;
  /** Of a segment: the connection breaks somewhere within it. */
  readonly resetChance: number;
  /** Of a read: it gives one byte, or another small number of them. */
  readonly oddReadChance: number;
  /** Of one side of a connection: it reads little, and seldom. */
  readonly slowReaderChance: number;
  /** Of a connection that was cut off and is not any more: it breaks instead of going on. */
  readonly resetAfterCutChance: number;
}

/** A healthy network on one machine or rack. */
export const CALM_STREAMS: StreamFaults = {
  latencyMinUs: 50,
  latencyMeanUs: 150,
  arrivalGridUs: 1,
  bytesPerMs: 100_000,
  windowBytes: 256 * 1024,
  segmentMaxBytes: 64 * 1024,
  resetChance: 0,
  oddReadChance: 0,
  slowReaderChance: 0,
  resetAfterCutChance: 0,
};
