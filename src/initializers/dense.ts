/**
 * The few dense products that spectra need, in double precision over row-major arrays, written for speed: four rows at
 * a time, so that each element that is read serves several products.
 */

/** A Aᵀ of a matrix of rows × cols, as rows × rows. */
export function gram(matrix: Float64Array, rows: number, cols: number): Float64Array {
  const product = new Float64Array(rows * rows);
  for (let i = 0; i < rows; i += 2) {
    const first = i * cols;
    // An odd last row is paired with itself: the same values are written twice.
    const pair = Math.min(i + 1, rows - 1);
    const second = pair * cols;
    for (let j = 0; j <= i; j += 2) {
      const third = j * cols;
      const last = Math.min(j + 1, rows - 1);
      const fourth = last * cols;
      let a = 0;
      let b = 0;
      let c = 0;
      let d = 0;
      for (let column = 0; column < cols; column++) {
        const x = matrix[first + column];
        const y = matrix[second + column];
        const z = matrix[third + column];
        const w = matrix[fourth + column];
        a += x * z;
        b += x * w;
        c += y * z;
        d += y * w;
      }
      product[i * rows + j] = product[j * rows + i] = a;
      product[i * rows + last] = product[last * rows + i] = b;
      product[pair * rows + j] = product[j * rows + pair] = c;
      product[pair * rows + last] = product[last * rows + pair] = d;
    }
  }
  return product;
}

/** A B of matrices of rows × inner and inner × cols. */
export function multiply(
  left: Float64Array,
  right: Float64Array,
  rows: number,
  inner: number,
  cols: number,
): Float64Array {
  const product = new Float64Array(rows * cols);
  // A strip of `right` that stays in the cache while all rows of `left` pass over it.
  const strip = 256;
  for (let from = 0; from < cols; from += strip) {
    const width = Math.min(strip, cols - from);
    for (let row = 0; row < rows; row++) {
      const target = product.subarray(row * cols + from, row * cols + from + width);
      let k = 0;
      for (; k + 3 < inner; k += 4) {
        const place = row * inner + k;
        const a = left[place];
        const b = left[place + 1];
        const c = left[place + 2];
        const d = left[place + 3];
        const p = k * cols + from;
        const q = p + cols;
        const r = q + cols;
        const s = r + cols;
        for (let column = 0; column < width; column++) {
          target[column] +=
            a * right[p + column] + b * right[q + column] + c * right[r + column] + d * right[s + column];
        }
      }
      for (; k < inner; k++) {
        const a = left[row * inner + k];
        const p = k * cols + from;
        for (let column = 0; column < width; column++) target[column] += a * right[p + column];
      }
    }
  }
  return product;
}

/** Aᵀ of a matrix of rows × cols. */
export function transpose(matrix: Float64Array, rows: number, cols: number): Float64Array {
  const turned = new Float64Array(matrix.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < cols; column++) turned[column * rows + row] = matrix[row * cols + column];
  }
  return turned;
}

/**
 * Makes rows `from` to `rows − 1` orthonormal, in place, to each other and to the rows before them, which must be so
 * already (Gram and Schmidt). Written as A = L Q this is the QR decomposition of Aᵀ with a positive diagonal, hence Q
 * of a Gaussian A is spread evenly over all orthonormal sets (Mezzadri 2007) with no further sign fix. Needs
 * rows ≤ cols. A row that depends on those before it is replaced by what `fresh` draws.
 */
export function orthonormalizeRows(
  matrix: Float64Array,
  rows: number,
  cols: number,
  fresh: () => number,
  from = 0,
): void {
  for (let row = from; row < rows; row++) {
    const current = matrix.subarray(row * cols, (row + 1) * cols);
    for (;;) {
      const before = norm(current);
      subtractProjections(matrix, row, cols, current);
      let after = norm(current);
      // Where much has cancelled, rounding has left a part along the rows before: take that out too
      // (Daniel, Gragg, Kaufman and Stewart 1976).
      if (after < 0.1 * before) {
        const once = after;
        subtractProjections(matrix, row, cols, current);
        after = norm(current);
        if (!(after > 0.1 * once) || after < 1e-12 * before) after = 0;
      }
      if (after > 0) {
        for (let column = 0; column < cols; column++) current[column] /= after;
        break;
      }
      for (let column = 0; column < cols; column++) current[column] = fresh();
    }
  }
}

/** Takes from `current` its parts along the first `count` rows, which are orthonormal, four rows at a time. */
function subtractProjections(matrix: Float64Array, count: number, cols: number, current: Float64Array): void {
  let row = 0;
  for (; row + 3 < count; row += 4) {
    const p = row * cols;
    const q = p + cols;
    const r = q + cols;
    const s = r + cols;
    let a = 0;
    let b = 0;
    let c = 0;
    let d = 0;
    for (let column = 0; column < cols; column++) {
      const x = current[column];
      a += x * matrix[p + column];
      b += x * matrix[q + column];
      c += x * matrix[r + column];
      d += x * matrix[s + column];
    }
    for (let column = 0; column < cols; column++) {
      current[column] -=
        a * matrix[p + column] + b * matrix[q + column] + c * matrix[r + column] + d * matrix[s + column];
    }
  }
  for (; row < count; row++) {
    const p = row * cols;
    let a = 0;
    for (let column = 0; column < cols; column++) a += current[column] * matrix[p + column];
    for (let column = 0; column < cols; column++) current[column] -= a * matrix[p + column];
  }
}

function norm(vector: Float64Array): number {
  let sum = 0;
  for (let index = 0; index < vector.length; index++) sum += vector[index] * vector[index];
  return Math.sqrt(sum);
}
