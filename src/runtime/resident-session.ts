/**
 * A graph of which nothing leaves a device's memory between two runs but what is asked for: inputs have places there
 * that are written before a run, and outputs have some that are read afterwards. So ONNX Runtime's WebGPU provider can
 * record its orders to the device and repeat them, which takes the processor about half of the time.
 */
import type { Graph } from "../graph/graph.js";
import { floatTensor, sizeOf, type Tensor } from "../graph/tensor.js";
import { type DevicePlaces, openPlaces } from "./device-places.js";
import { openSession } from "./node.js";
import { RuntimeDeviceTensor } from "./runtime-device-tensor.js";
import type { DeviceTensor, Session, SessionOptions, Tensors } from "./session.js";

export interface ResidentSession extends Session {
  /** Outputs of the last run that it did not give back. */
  left(names: readonly string[]): Promise<Tensors>;
}

/**
 * Operators from which a recording is worth it: writing inputs and reading outputs are runs of their own then, of about
 * half a millisecond each.
 */
const leastRecorded = 200;

/** Recordings are made for that many sets of places: a state's two, one of which is read and the other one written. */
const mostRecordings = 2;

/**
 * Loads a graph whose outputs are float32.
 *
 * @param options its device keeps tensors (see device.ts)
 * @param leaves outputs that a run leaves on the device
 * @param records whether it is recorded
 * @throws UserError where the device has no room for it
 */
export async function openResidentSession(
  graph: Graph,
  options: SessionOptions,
  leaves: readonly string[] = [],
  records = graph.nodes.length >= leastRecorded,
): Promise<ResidentSession> {
  const { device = "cpu" } = options;
  const open = (): Promise<Session> => openSession(graph, { ...options, records });
  const first = await open();
  const recordings = new Map<DeviceTensor | undefined, Session>();
  let inputs: DevicePlaces | undefined;
  let outputs: DevicePlaces | undefined;

  /** The session that has recorded a run into this place, or may do so. */
  const recordingFor = async (place: DeviceTensor | undefined): Promise<Session> => {
    const known = recordings.get(place);
    if (known) return known;
    if (recordings.size === mostRecordings) throw new Error("session: places other than those of earlier runs");
    const session = recordings.size === 0 ? first : await open();
    recordings.set(place, session);
    return session;
  };

  return {
    run: async (feeds, targets = {}) => {
      if (!outputs) {
        const others = graph.outputs.filter(({ name }) => !(targets[name] instanceof RuntimeDeviceTensor));
        const placed = records ? others : others.filter(({ name }) => leaves.includes(name));
        outputs = await openPlaces(emptyTensors(placed), device);
      }
      const places = { ...targets, ...outputs.tensors };
      if (!records) return first.run(feeds, places);
      const resident: Record<string, DeviceTensor> = {};
      const fromOutside: Record<string, Tensor> = {};
      for (const { name } of graph.inputs) {
        const tensor = feeds[name];
        if (!tensor) throw new Error(`session: the input ${name} was not fed`);
        if (tensor instanceof RuntimeDeviceTensor) resident[name] = tensor;
        else fromOutside[name] = tensor as Tensor;
      }
      if (inputs) await inputs.write(fromOutside);
      else inputs = await openPlaces(fromOutside, device);
      const session = await recordingFor(
        Object.values(targets).find((target) => target instanceof RuntimeDeviceTensor),
      );
      await session.run({ ...resident, ...inputs.tensors }, places);
      const read = await outputs.read(Object.keys(outputs.tensors).filter((name) => !leaves.includes(name)));
      return Object.fromEntries(
        Object.entries(read).map(([name, tensor]) => {
          const target = targets[name] as Tensor | undefined;
          (target?.data as Float32Array | undefined)?.set(tensor.data as Float32Array);
          return [name, target ?? tensor];
        }),
      );
    },
    left: async (names) => (outputs ? outputs.read(names) : {}),
    release: async () => {
      for (const session of new Set([first, ...recordings.values()])) await session.release();
      await inputs?.release();
      await outputs?.release();
    },
  };
}

function emptyTensors(described: Graph["outputs"]): Tensors {
  return Object.fromEntries(
    described.map(({ name, shape }) => {
      const sizes = (shape ?? []).map(Number);
      return [name, floatTensor(new Float32Array(sizeOf(sizes)), sizes)];
    }),
  );
}
