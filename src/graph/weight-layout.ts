/** Where a weight tensor keeps its inputs and outputs. */
export type WeightLayout =
  | {
      readonly kind: "matrix";
      /** 1 for [outputs, inputs] (Gemm with transB, PyTorch's Linear), 0 for [inputs, outputs] (MatMul, Keras' Dense). */
      readonly inputAxis: 0 | 1;
    }
  | {
      /**
       * A stack of matrices, [count, outputs, inputs]: the directions of a recurrent layer. Products with one of them, or
       * with all as one tall matrix, read its rows.
       */
      readonly kind: "matrices";
    }
  | {
      readonly kind: "convolution";
      readonly groups: number;
      /** false: [outputs, inputs / groups, ...kernel]; true (ConvTranspose): [inputs, outputs / groups, ...kernel]. */
      readonly transposed: boolean;
    };
