/** How PyTorch writes a network as it is: no tensor renamed, merged or folded, and the batch left open. For messages. */
export const plainExport =
  'torch.onnx.export(model.eval(), (sample,), "model.onnx", dynamo=True, optimize=False, dynamic_shapes=({0: "batch"},)) and a sample of two or more';

/** The same of the TorchScript exporter, as further arguments. */
export const plainTorchScriptExport =
  "dynamo=False, training=torch.onnx.TrainingMode.TRAINING, do_constant_folding=False";
