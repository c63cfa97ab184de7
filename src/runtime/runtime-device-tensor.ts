import type { DataType } from "../graph/tensor.js";
import type { Device } from "./device.js";
import type { RuntimeTensor } from "./onnx-runtime.js";
import type { DeviceTensor } from "./session.js";

/** A tensor as ONNX Runtime left it on a device. */
export class RuntimeDeviceTensor implements DeviceTensor {
  readonly location: Device;
  readonly value: RuntimeTensor;

  constructor(location: Device, value: RuntimeTensor) {
    this.location = location;
    this.value = value;
  }

  get type(): DataType {
    return this.value.type as DataType;
  }

  get shape(): readonly number[] {
    return this.value.dims;
  }
}
