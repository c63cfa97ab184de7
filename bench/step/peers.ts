/** Who is measured, and how a measured process is started and asked. */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface, type Interface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Device } from "../../src/runtime/device.js";

/** Where a peer's process comes from. */
export interface Peer {
  readonly title: string;
  readonly command: (folder: string, threads: number, firstSteps: number) => readonly string[];
  /** Runs on one thread whatever it is told. */
  readonly singleThread?: boolean;
  /** Differs from others for pictures only. */
  readonly picturesOnly?: boolean;
}

/** The sources beside this file, and the Python ones where they lie in the repository. */
const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const pythonSource = (name: string): string => fileURLToPath(new URL(`../../../bench/step/${name}`, import.meta.url));

const ours =
  (what: string, device: Device) =>
  (folder: string, threads: number, firstSteps: number): readonly string[] => [
    process.execPath,
    here("../step.js"),
    "--measured",
    `${what},${folder},${threads},${firstSteps},${device}`,
  ];

/** All peers by the names that --peers takes. Where headstart computes on a device, those in Python do on CUDA. */
export function peersWith(python: string, device: Device = "cpu"): Record<string, Peer> {
  const place = device === "cpu" ? "cpu" : "cuda";
  const torch =
    (variant: string): Peer["command"] =>
    (folder, threads, firstSteps) => [
      python,
      pythonSource("torch_peer.py"),
      folder,
      variant,
      `${threads}`,
      `${firstSteps}`,
      place,
    ];
  const peers: Record<string, Peer> = {
    headstart: { title: "headstart", command: ours("headstart", device) },
    pytorch: { title: "PyTorch", command: torch("eager") },
    "pytorch-channels-last": { title: "PyTorch, channels last", command: torch("channels-last"), picturesOnly: true },
    "pytorch-compile": { title: "PyTorch, torch.compile", command: torch("compile") },
    jax: {
      title: "JAX, jit",
      command: (folder, threads, firstSteps) => [
        python,
        pythonSource("jax_peer.py"),
        folder,
        `${threads}`,
        `${firstSteps}`,
        place,
      ],
    },
  };
  // Its backend for Node.js on CUDA is bound to versions of CUDA that are long gone.
  if (device === "cpu") peers.tfjs = { title: "TensorFlow.js", command: ours("tfjs", device), singleThread: true };
  return peers;
}

/** ONNX Runtime's matrix product, measured as a peer is. */
export const matrixProduct: Peer = { title: "MatMul", command: ours("product", "cpu") };

/** The peer is not there, for this reason. */
export class MissingPeer extends Error {}

/** A started process that waits for its turn. */
export class MeasuredProcess {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #reader: Interface;
  #complaint = "";

  constructor(command: readonly string[], threads: number) {
    const [program, ...words] = command;
    this.#child = spawn(program, words, {
      stdio: ["pipe", "pipe", "pipe"],
      // A GPU computes products in float32, too, not in the shorter tf32.
      env: { ...process.env, NVIDIA_TF32_OVERRIDE: "0", OMP_NUM_THREADS: `${threads}`, MKL_NUM_THREADS: `${threads}` },
    });
    this.#child.on("error", (error) => {
      this.#complaint = error.message;
    });
    // A process that ends early closes its input: what it said of it comes as a missing answer.
    this.#child.stdin?.on("error", () => {});
    this.#child.stderr?.on("data", (chunk) => {
      this.#complaint = `${this.#complaint}${chunk}`.slice(-2000);
    });
    this.#reader = createInterface({ input: this.#child.stdout! });
    this.#lines = this.#reader[Symbol.asyncIterator]();
  }

  /** Waits for the first steps; gives their losses, and how they were made where that was chosen on the way. */
  async started(): Promise<{ losses: readonly (readonly number[])[]; note?: string }> {
    return (await this.#answer()) as { losses: number[][]; note?: string };
  }

  /** Makes steps; gives the seconds that they took together. */
  async run(steps: number): Promise<number> {
    this.#child.stdin?.write(`${steps}\n`);
    return ((await this.#answer()) as { seconds: number }).seconds;
  }

  /** Ends the process; gives the most bytes of memory that it has had. */
  async end(): Promise<number> {
    this.#child.stdin?.write("\n");
    const { memory } = (await this.#answer()) as { memory: number };
    this.#reader.close();
    return memory;
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }

  async #answer(): Promise<object> {
    for (;;) {
      const { value, done } = await this.#lines.next();
      if (done) throw new Error(lastLine(this.#complaint) || "the process ended without a word");
      if (!value.startsWith("{")) continue;
      const answer = JSON.parse(value) as { missing?: string };
      if (answer.missing !== undefined) throw new MissingPeer(answer.missing);
      return answer;
    }
  }
}

/** The last line that says something: of a stack trace the error itself. */
function lastLine(text: string): string {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  return lines.find((line) => /^\s*\w*(Error|Exception)\b/.test(line)) ?? lines.at(-1) ?? "";
}
