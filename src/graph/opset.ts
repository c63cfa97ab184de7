/** The version of ONNX's operator set in which headstart thinks and writes. Models of other versions are upgraded to it. */
export const pinnedOpset = 20;
