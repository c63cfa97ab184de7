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
import { parseArgs } from "node:util";
import { serve } from "./step/measured-process.js";
import { type NetworkName, networks } from "./step/networks.js";
import { openMatrixProduct, openOurStep, productSide } from "./step/ours.js";
import { MeasuredProcess, MissingPeer, matrixProduct, type Peer, peersWith } from "./step/peers.js";
import { planOf, type StepName, stepNames } from "./step/plan.js";
import { largestDifference, median, type Row, ratios, tableHead, tableLine } from "./step/summary.js";

const help = `npm run bench step -- [options]

  --networks LIST   ${Object.keys(networks).join(",")} (default: all)
  --steps LIST      ${stepNames.join(",")} (default: all)
  --peers LIST      ${Object.keys(peersWith("")).join(",")} (default: all)
  --threads LIST    numbers of threads (default: 1,2)
  --python PATH     an interpreter with bench/requirements.txt installed (default: python3)
  --batch-size N    samples in a batch (default: 128)
  --rounds N        rounds, each of which every peer takes part in (default: 5)
  --seconds N       about how long a peer's turn lasts in a round (default: 0.5)
  --tolerance N     relative difference up to which losses agree (default: 0.001)
  --only agreement  compare losses, measure no time
  --quick           a smoke run: one network, one step, two short rounds
  --json            one JSON object a line on stdout, the table on stderr
`;

const { values: options } = parseArgs({
  options: {
    networks: { type: "string" },
    steps: { type: "string" },
    peers: { type: "string" },
    threads: { type: "string" },
    python: { type: "string", default: "python3" },
    "batch-size": { type: "string", default: "128" },
    rounds: { type: "string" },
    seconds: { type: "string" },
    tolerance: { type: "string", default: "1e-3" },
    only: { type: "string" },
    quick: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
    measured: { type: "string" },
  },
});

/** Steps whose losses are compared. TensorFlow.js may take a minute for one. */
const comparedSteps = 5;
const patientSteps = 2;
/** After this many seconds of a first step a peer gets a single step a round, and few rounds. */
const slow = 5;
const slowRounds = 1;

function stop(message: string): never {
  console.error(`npm run bench step: ${message}`);
  process.exit(2);
}

/** A list of known names. */
function chosen<Name extends string>(option: string, given: string | undefined, known: readonly Name[]): Name[] {
  if (given === undefined) return [...known];
  const names = given.split(",").map((name) => name.trim());
  for (const name of names)
    if (!(known as readonly string[]).includes(name))
      stop(`--${option}: required ${known.join(", ")}, got "${name}". Choose one or more of them.`);
  return names as Name[];
}

function positive(option: string, given: string, whole = false): number {
  const value = Number(given);
  if (!(value > 0) || (whole && !Number.isSafeInteger(value)))
    stop(`--${option}: required a ${whole ? "whole " : ""}number above 0, got "${given}".`);
  return value;
}

interface Settings {
  readonly networks: readonly NetworkName[];
  readonly steps: readonly StepName[];
  readonly peers: Readonly<Record<string, Peer>>;
  readonly threads: readonly number[];
  readonly batchSize: number;
  readonly rounds: number;
  readonly seconds: number;
  readonly tolerance: number;
}

function settingsOf(): Settings {
  const { quick } = options;
  const all = peersWith(options.python);
  const only = chosen("only", options.only ?? "", ["", "agreement"])[0];
  const names = chosen("peers", options.peers, Object.keys(all));
  // The others are compared with headstart.
  const peers = Object.fromEntries(["headstart", ...names].map((name) => [name, all[name]]));
  return {
    networks: chosen(
      "networks",
      options.networks ?? (quick ? "mlp" : undefined),
      Object.keys(networks) as NetworkName[],
    ),
    steps: chosen("steps", options.steps ?? (quick ? "gan" : undefined), stepNames),
    peers,
    threads: (options.threads ?? "1,2").split(",").map((count) => positive("threads", count, true)),
    batchSize: positive("batch-size", options["batch-size"], true),
    rounds: only === "agreement" ? 0 : positive("rounds", options.rounds ?? (quick ? "2" : "5"), true),
    seconds: positive("seconds", options.seconds ?? (quick ? "0.1" : "0.5")),
    tolerance: positive("tolerance", options.tolerance),
  };
}

/** A peer at a number of threads, while its row is measured. */
interface Entrant {
  readonly name: string;
  readonly threads: number;
  readonly process: MeasuredProcess;
  readonly losses: readonly (readonly number[])[];
  readonly steps: number;
  readonly rounds: number;
  readonly milliseconds: number[];
}

async function enter(
  { command }: Peer,
  name: string,
  threads: number,
  folder: string,
  { seconds, rounds }: Settings,
): Promise<Entrant> {
  const child = new MeasuredProcess(command(folder, threads, name === "tfjs" ? patientSteps : comparedSteps), threads);
  try {
    const started = await child.started();
    const isSlow = started.seconds > slow;
    const entrant = { name, threads, process: child, losses: started.losses, milliseconds: [] };
    if (isSlow || rounds === 0) return { ...entrant, steps: 1, rounds: Math.min(rounds, slowRounds) };
    // The last of the first steps may still have been slow: a short run tells how many steps fill a turn.
    const trial = Math.max(1, Math.min(20, Math.round(seconds / 4 / started.seconds)));
    const each = (await child.run(trial)) / trial;
    return { ...entrant, steps: Math.max(1, Math.round(seconds / each)), rounds };
  } catch (error) {
    child.kill();
    throw error;
  }
}

/** Measures one network and step with all peers, and gives a row for each peer and number of threads. */
async function measure(network: NetworkName, step: StepName, folder: string, settings: Settings): Promise<Row[]> {
  const { file, write } = await planOf(network, step, folder, settings.batchSize);
  await write();
  const rows: Row[] = [];
  const entrants: Entrant[] = [];
  const products: Entrant[] = [];
  try {
    for (const threads of settings.threads) {
      if (settings.rounds > 0)
        products.push(await enter(matrixProduct, "product", threads, folder, { ...settings, seconds: 0.1 }));
      for (const [name, peer] of Object.entries(settings.peers)) {
        if (peer.singleThread && threads !== settings.threads[0]) continue;
        if (peer.picturesOnly && networks[network].sampleShape.length !== 3) continue;
        try {
          entrants.push(await enter(peer, name, threads, folder, settings));
        } catch (error) {
          if (name === "headstart") throw error;
          const reason = (error as Error).message;
          const skipped = error instanceof MissingPeer ? reason : `failed: ${reason}`;
          rows.push({
            network,
            step,
            peer: name,
            threads,
            skipped,
            ...(error instanceof MissingPeer ? {} : { agrees: false }),
          });
        }
      }
    }
    const taking = [...products, ...entrants];
    for (let round = 0; round < settings.rounds; round++)
      for (const { process: child, steps, rounds, milliseconds } of taking)
        if (round < rounds) milliseconds.push((1000 * (await child.run(steps))) / steps);
    for (const { name, threads, process: child, losses, milliseconds } of entrants) {
      const compared = largestDifference(losses, entrants[0].losses);
      const common = {
        network,
        step,
        peer: name,
        threads,
        difference: compared.difference,
        comparedSteps: compared.steps,
        agrees: compared.difference <= settings.tolerance,
      };
      const peakBytes = await child.end();
      if (milliseconds.length === 0) {
        rows.push(common);
        continue;
      }
      const middle = median(milliseconds);
      const product = products.find((each) => each.threads === threads)?.milliseconds ?? [];
      const share = file.multiplyAdds / middle / (productSide ** 3 / median(product));
      rows.push({ ...common, milliseconds, samplesPerSecond: (1000 * file.batchSize) / middle, peakBytes, share });
    }
    if (products.length > 0) {
      const speeds = products.map(({ threads, milliseconds }) => ({
        threads,
        gigaflops: (2 * productSide ** 3) / median(milliseconds) / 1e6,
      }));
      report({ type: "operations", network, step, gigaflop: (2 * file.multiplyAdds) / 1e9, product: speeds });
    }
    return rows;
  } finally {
    for (const { process: child } of [...products, ...entrants]) child.kill();
  }
}

const say = (text: string): void => (options.json ? console.error(text) : console.log(text));

function report(line: object): void {
  if (options.json) console.log(JSON.stringify(line));
}

async function main(): Promise<void> {
  if (options.help) {
    console.log(help);
    return;
  }
  const settings = settingsOf();
  const machine = `${cpus()[0]?.model}, ${availableParallelism()} cores, Node ${process.versions.node}`;
  say(`${machine}; batch ${settings.batchSize}, ${settings.rounds} rounds of ${settings.seconds} s\n`);
  report({ type: "machine", machine, batchSize: settings.batchSize, rounds: settings.rounds });
  say(tableHead);
  const folder = mkdtempSync(join(tmpdir(), "headstart-bench-"));
  const rows: Row[] = [];
  try {
    for (const network of settings.networks)
      for (const step of settings.steps) {
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
  const [what, folder, threads, firstSteps] = options.measured.split(",");
  const open = {
    headstart: () => openOurStep(folder, Number(threads)),
    product: () => openMatrixProduct(Number(threads)),
    tfjs: async () => (await import("./step/tfjs.js")).openTensorFlowStep(folder),
  }[what];
  if (!open) stop(`--measured: nothing called ${what}`);
  await serve(open, Number(firstSteps));
}
