/** Products of matrices that are too large to compute without ONNX Runtime. */
import { InterruptedError } from "../errors.js";
import { attribute } from "../graph/graph.js";
import { floatTensor } from "../graph/tensor.js";
import { Emitter } from "../ops/emitter.js";
import { openSession } from "../runtime/node.js";
import type { Session, SessionOptions } from "../runtime/session.js";
import { readAtOnce } from "./labelled-features.js";

/**
 * A matrix's transpose times itself, of rows that come some at a time, and products with a square matrix, in single
 * precision.
 */
export class MatrixProducts {
  readonly #width: number;
  readonly #directions: number;
  readonly #squares: Session;
  readonly #times: Session;
  readonly #signal: AbortSignal | undefined;
  readonly #points: Float32Array;
  #current: Float32Array;
  #other: Float32Array;

  private constructor(
    width: number,
    directions: number,
    squares: Session,
    times: Session,
    signal: AbortSignal | undefined,
  ) {
    this.#width = width;
    this.#directions = directions;
    this.#squares = squares;
    this.#times = times;
    this.#signal = signal;
    this.#points = new Float32Array(readAtOnce * width);
    this.#current = new Float32Array(width * width);
    this.#other = new Float32Array(width * width);
  }

  /**
   * Starts what computes them.
   *
   * @param width columns of the rows, and both sides of the square matrix
   * @param directions columns of what the square matrix is multiplied with
   * @param options the signal makes the next product throw an InterruptedError
   */
  static async open(
    width: number,
    directions: number,
    { threads, signal }: SessionOptions & { readonly signal?: AbortSignal },
  ): Promise<MatrixProducts> {
    const settings = threads === undefined ? {} : { threads };
    const adding = new Emitter();
    const points = adding.input("points", "float32", [readAtOnce, width]);
    const before = adding.input("before", "float32", [width, width]);
    adding.output("after", adding.one("Gemm", [points, points, before], { transA: attribute.int(1) }));
    const multiplying = new Emitter();
    const matrix = multiplying.input("matrix", "float32", [width, width]);
    const columns = multiplying.input("directions", "float32", [width, directions]);
    multiplying.output("product", multiplying.one("MatMul", [matrix, columns]));
    const squares = await openSession(adding.build("squares"), { ...settings, intoTargets: true });
    try {
      const times = await openSession(multiplying.build("times"), settings);
      return new MatrixProducts(width, directions, squares, times, signal);
    } catch (error) {
      await squares.release();
      throw error;
    }
  }

  /** Forgets what was added. */
  begin(): void {
    this.#current.fill(0);
  }

  /** Adds the products of all pairs of columns of at most {@link readAtOnce} rows: [rows, width]. */
  async add(rows: Float32Array): Promise<void> {
    this.#requireGoingOn();
    const shape = [this.#width, this.#width];
    this.#points.fill(0).set(rows);
    const feeds = {
      points: floatTensor(this.#points, [readAtOnce, this.#width]),
      before: floatTensor(this.#current, shape),
    };
    await this.#squares.run(feeds, { after: floatTensor(this.#other, shape) });
    [this.#current, this.#other] = [this.#other, this.#current];
  }

  /** What was added, [width, width]: good until the next {@link MatrixProducts.begin}. */
  sum(): Float32Array {
    return this.#current;
  }

  /**
   * The square matrix times these columns: [width, directions].
   *
   * @param matrix [width, width]
   * @param directions [width, directions]
   */
  async times(matrix: Float32Array, directions: Float64Array): Promise<Float32Array> {
    this.#requireGoingOn();
    const { product } = await this.#times.run({
      matrix: floatTensor(matrix, [this.#width, this.#width]),
      directions: floatTensor(Float32Array.from(directions), [this.#width, this.#directions]),
    });
    return product.data as Float32Array;
  }

  #requireGoingOn(): void {
    if (this.#signal?.aborted) throw new InterruptedError("stopped while measuring");
  }

  /** Gives up what computes them. */
  async release(): Promise<void> {
    await this.#squares.release();
    await this.#times.release();
  }
}
