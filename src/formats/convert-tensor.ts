/** Between the precisions of real numbers. */
import { type DataType, type FloatTensor, numberToBfloat16, numberToFloat16, type Tensor } from "../graph/tensor.js";

/** A float32 tensor in another floating-point type, rounded to nearest even. */
export function convertTensor(tensor: FloatTensor, type: DataType): Tensor {
  switch (type) {
    case "float32":
      return tensor;
    case "float64":
      return { type, shape: tensor.shape, data: Float64Array.from(tensor.data) };
    case "float16":
      return { type, shape: tensor.shape, data: Uint16Array.from(tensor.data, numberToFloat16) };
    case "bfloat16":
      return { type, shape: tensor.shape, data: Uint16Array.from(tensor.data, numberToBfloat16) };
    default:
      throw new Error(`float32 does not convert to ${type}`);
  }
}
