/**
 * Training steps beside PyTorch, JAX and TensorFlow.js: milliseconds a step, samples a second, peak memory, and the
 * share of the machine's own matrix-product speed that a step reaches. docs/benchmarks.md says what is held equal.
 *
 * Every peer is a process of its own that waits for its turn, so that rounds alternate between all of them. Before the
 * rounds, the losses of each peer's first steps are compared with headstart's; where they disagree, the status is 1.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { type Device, devices } from "../src/runtime/device.js";
import { requireDevice } from "../src/runtime/require-device.js";
import { chosen, positive, readOptions, stop } from "./options/read-options.js";
import { serve } from "./step/measured-process.js";
import { type NetworkName, networks } from "./step/networks.js";
import { openMatrixProduct, openOurStep, productSide } from "./step/ours.js";
import { MeasuredProcess, MissingPeer, matrixProduct, type Peer, peersWith } from "./step/peers.js";
import { isMeasured, planOf, type StepName, stepNames } from "./step/plan.js";
import { agree, median, type Row, ratios, relativeDifferences, tableHead, tableLine } from "./step/summary.js";

const help = `npm run bench step -- [options]

  --networks LIST   ${Object.keys(networks).join(",")} (default: all)
  --steps LIST      ${stepNames.join(",")} (default: all)
  --peers LIST      ${Object.keys(peersWith("")).join(",")} (default: all)
  --threads LIST    numbers of threads (default: 1,2; beside a device 1)
  --device NAME     ${devices.join(", ")} (default: cpu); PyTorch and JAX then compute on CUDA
  --python PATH     an interpreter with bench/requirements.txt installed (default: python3)
  --batch-size N    samples in a batch (default: 128)
  --rounds N        rounds, each of which every peer takes part in (default: 5)
  --seconds N       about how long a peer's turn lasts in a round (default: 0.5)
  --tolerance N     relative difference up to which losses agree (default: 0.001)
  --only agreement  compare losses, measure no time
  --quick           a smoke run: one network, one step, two short rounds
  --json            one JSON object a line on stdout, the table on stderr
`;

const options = readOptions("step", help, {
  networks: { type: "string" },
  steps: { type: "string" },
  peers: { type: "string" },
  threads: { type: "string" },
  device: { type: "string", default: "cpu" },
  python: { type: "string", default: "python3" },
  "batch-size": { type: "string", default: "128" },
  rounds: { type: "string" },
  seconds: { type: "string" },
  tolerance: { type: "string", default: "1e-3" },
  only: { type: "string" },
  quick: { type: "boolean", default: false },
  json: { type: "boolean", default: false },
  measured: { type: "string" },
});

/** Steps whose losses are compared. TensorFlow.js may take a minute for one. */
const comparedSteps = 5;
const patientSteps = 2;
/** A peer whose step takes more seconds than this makes a single one. */
const slow = 5;

interface Settings {
  readonly networks: readonly NetworkName[];
  readonly steps: readonly StepName[];
  readonly peers: Readonly<Record<string, Peer>>;
  readonly threads: readonly number[];
  readonly device: Device;
  readonly batchSize: number;
  readonly rounds: number;
  readonly seconds: number;
  readonly tolerance: number;
}

async function settingsOf(): Promise<Settings> {
  const { quick } = options;
  const device = await requireDevice(options.device).catch((error: Error) => stop("step", error.message));
  const all = peersWith(options.python, device);
  const only = chosen("step", "only", options.only ?? "", ["", "agreement"])[0];
  const names = chosen("step", "peers", options.peers, Object.keys(all));
  // The others are compared with headstart.
  const peers = Object.fromEntries(["headstart", ...names].map((name) => [name, all[name]]));
  return {
    networks: chosen(
      "step",
      "networks",
      options.networks ?? (quick ? "mlp" : undefined),
      Object.keys(networks) as NetworkName[],
    ),
    steps: chosen("step", "steps", options.steps ?? (quick ? "gan" : undefined), stepNames),
    peers,
    device,
    threads: (options.threads ?? (device === "cpu" ? "1,2" : "1"))
      .split(",")
      .map((count) => positive("step", "threads", count, true)),
    batchSize: positive("step", "batch-size", options["batch-size"], true),
    rounds: only === "agreement" ? 0 : positive("step", "rounds", options.rounds ?? (quick ? "2" : "5"), true),
    seconds: positive("step", "seconds", options.seconds ?? (quick ? "0.1" : "0.5")),
    tolerance: positive("step", "tolerance", options.tolerance),
  };
}

/** A peer at a number of threads, while its row is measured. */
interface Entrant {
  readonly name: string;
  readonly threads: number;
  readonly process: MeasuredProcess;
  /** Of its first steps. */
  losses: readonly (readonly number[])[];
  note?: string;
  /** Milliseconds a step in each round. */
  readonly milliseconds: number[];
  /** Why it takes no part, where it does not. */
  failure?: Error;
}

/** Starts a peer and waits until it has made its first steps. */
async function enter({ command }: Peer, name: string, threads: number, folder: string): Promise<Entrant> {
  const firstSteps = name === "tfjs" ? patientSteps : comparedSteps;
  const child = new MeasuredProcess(command(folder, threads, firstSteps), threads);
  const entrant: Entrant = { name, threads, process: child, losses: [], milliseconds: [] };
  try {
    Object.assign(entrant, await child.started());
  } catch (error) {
    child.kill();
    entrant.failure = error as Error;
  }
  return entrant;
}

/** Runs tasks, as many at once as there are cores; gives their results in order. */
async function together<Result>(tasks: readonly (() => Promise<Result>)[]): Promise<Result[]> {
  const results: Result[] = [];
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < tasks.length) {
      const at = next++;
      results[at] = await tasks[at]();
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, work));
  return results;
}

/** Measures in rounds, one process at a time, each turn as many steps as fill it. */
async function takeTurns(entrants: readonly Entrant[], { rounds, seconds }: Settings): Promise<void> {
  const stepsOf = new Map<Entrant, number>();
  for (const entrant of entrants) {
    const first = await entrant.process.run(1);
    if (first > slow) {
      // A single step is all that it is given.
      entrant.milliseconds.push(1000 * first);
      continue;
    }
    // The first step after a pause may be slow: a short run tells how many steps fill a turn.
    const trial = Math.max(1, Math.min(20, Math.round(seconds / 4 / first)));
    const each = (await entrant.process.run(trial)) / trial;
    stepsOf.set(entrant, Math.max(1, Math.round((entrant.name === "product" ? 0.1 : seconds) / each)));
  }
  for (let round = 0; round < rounds; round++)
    for (const [entrant, steps] of stepsOf)
      entrant.milliseconds.push((1000 * (await entrant.process.run(steps))) / steps);
}

/** Measures one network and step with all peers, and gives a row for each peer and number of threads. */
async function measure(network: NetworkName, step: StepName, folder: string, settings: Settings): Promise<Row[]> {
  const { file, write } = await planOf(network, step, folder, settings.batchSize);
  await write();
  const starting: (() => Promise<Entrant>)[] = [];
  for (const threads of settings.threads) {
    // What a step reaches of a device's matrix products would tell of its launches only.
    if (settings.rounds > 0 && settings.device === "cpu")
      starting.push(() => enter(matrixProduct, "product", threads, folder));
    for (const [name, peer] of Object.entries(settings.peers)) {
      if (peer.singleThread && threads !== settings.threads[0]) continue;
      if (peer.picturesOnly && networks[network].sampleShape.length !== 3) continue;
      starting.push(() => enter(peer, name, threads, folder));
    }
  }
  // Only starting happens side by side.
  const entered = await together(starting);
  try {
    const present = entered.filter(({ failure }) => failure === undefined);
    const absent = entered.find(({ name, failure }) => failure && (name === "headstart" || name === "product"));
    if (absent?.failure) throw absent.failure;
    if (settings.rounds > 0) await takeTurns(present, settings);
    const reference = present.find(({ name }) => name === "headstart")?.losses ?? [];
    const products = new Map(
      present.flatMap(({ name, threads, milliseconds }) =>
        name === "product" && milliseconds.length > 0 ? [[threads, median(milliseconds)] as const] : [],
      ),
    );
    const normalizes = file.features.some(({ op }) => op === "batchNormalization");
    const rows: Row[] = [];
    for (const { name, threads, process: child, losses, milliseconds, failure, note } of entered) {
      if (name === "product") continue;
      const row = { network, step, peer: name, threads, ...(note === undefined ? {} : { note }) };
      if (failure) {
        const missing = failure instanceof MissingPeer;
        const skipped = missing ? failure.message : `failed: ${failure.message}`;
        rows.push({ ...row, skipped, ...(missing ? {} : { agrees: false }) });
        continue;
      }
      const differences = relativeDifferences(losses, reference);
      const agrees = agree(differences, settings.tolerance, normalizes);
      const peakBytes = await child.end();
      const compared = { ...row, differences, agrees };
      if (milliseconds.length === 0) {
        rows.push(compared);
        continue;
      }
      const middle = median(milliseconds);
      const product = products.get(threads);
      const share = product === undefined ? undefined : (file.multiplyAdds / middle / productSide ** 3) * product;
      const samplesPerSecond = (1000 * file.batchSize) / middle;
      rows.push({ ...compared, milliseconds, samplesPerSecond, peakBytes, ...(share === undefined ? {} : { share }) });
    }
    for (const [threads, middle] of products)
      report({
        type: "operations",
        network,
        step,
        gigaflop: (2 * file.multiplyAdds) / 1e9,
        threads,
        productGigaflops: (2 * productSide ** 3) / middle / 1e6,
      });
    return rows;
  } finally {
    for (const { process: child } of entered) child.kill();
  }
}

const say = (text: string): void => (options.json ? console.error(text) : console.log(text));

function report(line: object): void {
  if (options.json) console.log(JSON.stringify(line));
}

async function main(): Promise<void> {
  const settings = await settingsOf();
  const machine = `${cpus()[0]?.model}, ${availableParallelism()} cores, Node ${process.versions.node}`;
  say(
    `${machine}; ${settings.device}; batch ${settings.batchSize}, ${settings.rounds} rounds of ${settings.seconds} s\n`,
  );
  report({ type: "machine", machine, device: settings.device, batchSize: settings.batchSize, rounds: settings.rounds });
  say(tableHead);
  const folder = mkdtempSync(join(tmpdir(), "headstart-bench-"));
  const rows: Row[] = [];
  try {
    for (const network of settings.networks)
      for (const step of settings.steps.filter((name) => isMeasured(network, name))) {
        const measured = await measure(network, step, join(folder, `${network}-${step}`), settings);
        for (const row of measured) {
          say(tableLine(row));
          report({ type: "row", ...row });
        }
        rows.push(...measured);
      }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  const found = ratios(rows);
  if (found.length > 0) say("\nheadstart's best against the best of each rival (above 1: headstart is faster)");
  for (const line of found) {
    say(`${line.network.padEnd(10)} ${line.step.padEnd(11)} ${line.rival.padEnd(8)} ${line.ratio.toFixed(2)}`);
    report({ type: "ratio", ...line });
  }
  const apart = rows.filter(({ agrees }) => agrees === false);
  if (apart.length === 0) return;
  console.error(`\n${apart.length} rows failed, or computed something else than headstart.`);
  process.exitCode = 1;
}

if (options.measured === undefined) {
  await main();
} else {
  const [what, folder, threads, firstSteps, device] = options.measured.split(",");
  const open = {
    headstart: () => openOurStep(folder, Number(threads), (device || "cpu") as Device),
    product: () => openMatrixProduct(Number(threads)),
    tfjs: async () => (await import("./step/tfjs.js")).openTensorFlowStep(folder),
  }[what];
  if (!open) stop("step", `--measured: nothing called ${what}`);
  await serve(open, Number(firstSteps));
}
