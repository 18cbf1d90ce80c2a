/** Reader of NumPy's format `.npy`, version 1, as the service writes it: float32 `(N, D)`. */

const MAGIC = "\x93NUMPY";
const HEADER_AT = 10;

/**
 * The rows of an array.
 *
 * @throws Error if it is not a little-endian float32 array of two dimensions in C order.
 */
export function readNpy(buffer: ArrayBuffer): number[][] {
  const view = new DataView(buffer);
  const start = new TextDecoder("latin1").decode(buffer.slice(0, HEADER_AT));
  if (!start.startsWith(MAGIC)) throw new Error("not an .npy file");
  const headerLength = view.getUint16(8, true);
  const header = start + new TextDecoder("latin1").decode(buffer.slice(HEADER_AT, HEADER_AT + headerLength));
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
