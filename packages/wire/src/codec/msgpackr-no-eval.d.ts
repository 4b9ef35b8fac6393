/**
 * The build of msgpackr that never calls `new Function`; the package ships no types for this
 * door. Only what the codec uses is declared.
 */
declare module "msgpackr/index-no-eval" {
  export interface PackrOptions {
    readonly useRecords: false;
    readonly variableMapSize: boolean;
    readonly encodeUndefinedAsNil: boolean;
    readonly int64AsType: "auto";
    readonly useToJSON: false;
  }

  export class Packr {
    constructor(options: PackrOptions);
    pack(value: unknown, encodeOptions?: number): Buffer;
    unpack(source: Uint8Array): unknown;
  }

  export const RESERVE_START_SPACE: number;
  export const RESET_BUFFER_MODE: number;
}
