/** Networks that make maps of pictures. */
import { TestNetwork } from "./write-network.js";

/** Writes networks on pictures of 8×8: each convolution is followed by ReLU and called after its weight. */
export class MapNetwork extends TestNetwork {
  convolution(from: string, weight: string, inputs: number, outputs: number, stride = 1): string {
    const attributes = { strides: [stride, stride], pads: [1, 1, 1, 1] };
    return this.node("Relu", [this.node("Conv", [from, this.weight(weight, [outputs, inputs, 3, 3]), ""], attributes)]);
  }

  enlarged(from: string, times = 2): string {
    return this.node("Resize", [from, "", this.filled(`scales_${times}`, [2], times)], { axes: [2, 3] });
  }
}

/** A U-Net of two levels on one channel: the end of its encoder, and its last map of four channels. */
export function smallUnet(
  net: MapNetwork,
  enlarge: (from: string) => string,
): { readonly encoder: string; readonly last: string } {
  const first = net.convolution("x", "encoder.0", 1, 4);
  const encoder = net.convolution(first, "encoder.1", 4, 6, 2);
  const joined = net.node("Concat", [enlarge(encoder), first], { axis: 1 });
  return { encoder, last: net.convolution(joined, "decoder", 10, 4) };
}
