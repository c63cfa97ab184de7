/** The formats that models are read from; a TensorFlow.js model is its model.json. */
export function isModel(path: string): boolean {
  return /\.(onnx|keras|h5|hdf5|json)$/i.test(path);
}
