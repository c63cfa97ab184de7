/** Where a weight tensor keeps its inputs and outputs. */
export type WeightLayout =
  | {
      readonly kind: "matrix";
      /** 1 for [outputs, inputs] (Gemm with transB, PyTorch's Linear), 0 for [inputs, outputs] (MatMul, Keras' Dense). */
      readonly inputAxis: 0 | 1;
    }
  | {
      readonly kind: "convolution";
      readonly groups: number;
      /** false: [outputs, inputs / groups, ...kernel]; true (ConvTranspose): [inputs, outputs / groups, ...kernel]. */
      readonly transposed: boolean;
    };
