/** Reader of NumPy's format `.npy`, version 1, as the service writes it: float32 `(N, D)`. */

const MAGIC = "\x93NUMPY";
const HEADER_AT = 10;

/**
 * The rows of an array.
 *
 * @throws Error if it is not a little-endian float32 array of two dimensions in C order.
 */
export function readNpy(buffer: ArrayBuffer): number[][] {
  if (buffer.byteLength < HEADER_AT || text(buffer, 0, MAGIC.length) !== MAGIC) {
    throw new Error("not an .npy file");
  }
  const headerLength = new DataView(buffer).getUint16(8, true);
  const header = text(buffer, HEADER_AT, headerLength);
  const shape = /'shape': \((\d+), (\d+)\)/.exec(header);
  if (!header.includes("'<f4'") || !header.includes("'fortran_order': False") || !shape) {
    throw new Error("not a float32 array of two dimensions");
  }
  const [rows, columns] = [Number(shape[1]), Number(shape[2])];
  const values = new Float32Array(buffer.slice(HEADER_AT + headerLength));
  return Array.from({ length: rows }, (_, row) =>
    Array.from(values.subarray(row * columns, (row + 1) * columns)),
  );
}

/** Bytes as characters, one each. */
function text(buffer: ArrayBuffer, start: number, length: number): string {
  return String.fromCharCode(...new Uint8Array(buffer, start, length));
}
