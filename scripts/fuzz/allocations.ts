/*
 * Counts the bytes that arrays of bytes are made with, so that a target can say what an input may
 * cost at most: a length that lies must not cost memory.
 */
let countedBytes = 0;

/** From now on {@link allocatedBytes} counts. Once in a thread, before the code under test loads. */
export function countAllocations(): void {
  globalThis.Uint8Array = counting(globalThis.Uint8Array);
  globalThis.ArrayBuffer = counting(globalThis.ArrayBuffer);
  globalThis.Array = counting(globalThis.Array);
  for (const name of ["alloc", "allocUnsafe", "allocUnsafeSlow"] as const) {
    const original = Buffer[name].bind(Buffer) as (size: number) => Buffer;
    Object.defineProperty(Buffer, name, {
      value: (size: number, ...rest: unknown[]) => {
        countedBytes += size;
        return Reflect.apply(original, Buffer, [size, ...rest]);
      },
    });
  }
}

/** Bytes (elements of arrays count as eight) that were asked for by their number so far. */
export function allocatedBytes(): number {
  return countedBytes;
}

function counting<Constructor extends abstract new (...args: never[]) => object>(
  original: Constructor,
): Constructor {
  const weight = (original as unknown) === Array ? 8 : 1;
  const proxy: Constructor = new Proxy(original, {
    construct(target, args: unknown[], newTarget) {
      if (typeof args[0] === "number" && args.length === 1) countedBytes += weight * args[0];
      const made = newTarget === proxy ? target : newTarget;
      return Reflect.construct(target, args, made) as object;
    },
  });
  return proxy;
}
