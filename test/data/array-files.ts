/** Builds array files for tests, byte by byte. */

/** An IDX file: type code, axes, and the values' bytes. */
export function idxFile(type: number, dims: readonly number[], values: Uint8Array | readonly number[]): Uint8Array {
  const head = new DataView(new ArrayBuffer(4 + 4 * dims.length));
  head.setUint8(2, type);
  head.setUint8(3, dims.length);
  dims.forEach((length, axis) => {
    head.setUint32(4 + 4 * axis, length);
  });
  return joined(new Uint8Array(head.buffer), Uint8Array.from(values));
}

/** An NPY file of a version, with numpy's padding of the header to a multiple of 64 bytes. */
export function npyFile(
  descr: string,
  dims: readonly number[],
  values: ArrayBufferView,
  { fortran = false, version = 1 } = {},
): Uint8Array {
  const shape = `(${dims.join(", ")}${dims.length === 1 ? "," : ""})`;
  const text = `{'descr': '${descr}', 'fortran_order': ${fortran ? "True" : "False"}, 'shape': ${shape}, }`;
  const prefix = version === 1 ? 10 : 12;
  const padded = `${text.padEnd(Math.ceil((prefix + text.length + 1) / 64) * 64 - prefix - 1)}\n`;
  const head = new Uint8Array(prefix);
  head.set([0x93, ...Buffer.from("NUMPY"), version, 0]);
  const view = new DataView(head.buffer);
  if (version === 1) view.setUint16(8, padded.length, true);
  else view.setUint32(8, padded.length, true);
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return joined(head, new TextEncoder().encode(padded), bytes);
}

function joined(...parts: Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

/** A safetensors file. */
export function safetensorsFile(
  tensors: Readonly<Record<string, { dtype: string; shape: readonly number[]; bytes: Uint8Array }>>,
): Uint8Array {
  let end = 0;
  const header = Object.fromEntries(
    Object.entries(tensors).map(([name, { dtype, shape, bytes }]) => {
      const start = end;
      end += bytes.length;
      return [name, { dtype, shape, data_offsets: [start, end] }];
    }),
  );
  const text = new TextEncoder().encode(JSON.stringify(header));
  const length = new DataView(new ArrayBuffer(8));
  length.setBigUint64(0, BigInt(text.length), true);
  return joined(new Uint8Array(length.buffer), text, ...Object.values(tensors).map(({ bytes }) => bytes));
}
