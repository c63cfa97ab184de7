/** The lab: a local page that shows a folder's runs and studies and starts new ones. */
import { existsSync } from "node:fs";
import { realpath } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { hostname, networkInterfaces } from "node:os";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { getRequestListener } from "@hono/node-server";
import { makeFolder } from "../data/make-folder.js";
import { fileError, userError } from "../errors.js";
import { type GuardOptions, OneTimeCode } from "../web/guard.js";
import type { CommandForm } from "../web/protocol.js";
import { labServer } from "../web/server.js";
import { labToken } from "./lab-token.js";
import { requireGiven } from "./run-settings.js";
import { version } from "./version.js";

export interface LabOptions {
  /** The folder whose runs and studies are shown, and where new ones go; made where only it is missing. */
  readonly folder: string;
  /** Further folders that models and data may be chosen from. */
  readonly files?: readonly string[];
  /** Address to listen at; default 127.0.0.1. */
  readonly host?: string;
  /** Default: any free one. */
  readonly port?: number;
  /** What runs headstart: the program and its first words. */
  readonly program: readonly string[];
  /** The commands that the page offers, with their options. */
  readonly forms?: readonly CommandForm[];
  /** Reads a command line as the command itself would. @throws UserError where it does not fit */
  readonly checkWords?: (words: readonly string[]) => Promise<void>;
  /** The built page; default: the one that comes with the package. */
  readonly pageFolder?: string;
  /** Milliseconds between looks at the files. */
  readonly interval?: number;
}

export interface RunningLab {
  /** What to open in a browser, with the token, without which nothing is answered. */
  readonly address: string;
  readonly token: string;
  /** Opens the page a single time: for a browser's arguments, which other users of the machine can read. */
  readonly onceAddress: string;
  /** Whether the folder was not there, and was made. */
  readonly madeFolder: boolean;
  /** Ends the server; what it has started goes on. */
  close(): Promise<void>;
}

/** What the system says of addresses that are not this machine's, are none, or may not be had. */
const unusableAddress: ReadonlySet<string> = new Set([
  "EADDRNOTAVAIL",
  "EACCES",
  "EAFNOSUPPORT",
  "EAI_AGAIN",
  "EINVAL",
  "ENOTFOUND",
]);

const loopback: ReadonlySet<string> = new Set(["127.0.0.1", "::1", "localhost"]);

/**
 * Serves the lab.
 *
 * @throws UserError where a folder is missing, the page was not built, or the port is taken
 */
export async function lab(options: LabOptions): Promise<RunningLab> {
  requireGiven({ folder: options.folder, program: options.program });
  // Node would listen at all addresses of the machine.
  if (options.host !== undefined) requireGiven({ host: options.host });
  const pageFolder = options.pageFolder ?? fileURLToPath(new URL("../web/page", import.meta.url));
  if (!existsSync(pageFolder))
    throw userError({
      where: pageFolder,
      required: "the built page",
      got: "nothing there",
      advice: "Run npm run build.",
    });
  const madeFolder = makeRoot(options.folder);
  const real = async (path: string): Promise<string> =>
    realpath(path).catch((error: unknown) => {
      throw fileError(error, path, "a folder to choose files from");
    });
  const root = await real(options.folder);
  const files = await Promise.all((options.files ?? []).map(real));
  const host = options.host ?? "127.0.0.1";
  const token = await labToken(root);
  const once = new OneTimeCode();
  let port = options.port ?? 0;
  const hosts = hostNames(host);
  const guard = (): GuardOptions => ({ hosts, port, token, once });
  const app = labServer({
    root,
    files,
    pageFolder: await realpath(pageFolder),
    version,
    guard,
    program: options.program,
    forms: options.forms ?? [],
    checkWords: options.checkWords ?? (async () => {}),
    ...(options.interval === undefined ? {} : { interval: options.interval }),
  });
  const server = createServer(getRequestListener(app.fetch));
  await listen(server, host, port);
  port = (server.address() as AddressInfo).port;
  const name = host === "0.0.0.0" || host === "::" ? hostname() : host.includes(":") ? `[${host}]` : host;
  const addressBy = (secret: string): string => `http://${name}:${port}/?token=${secret}`;
  return {
    address: addressBy(token),
    token,
    onceAddress: addressBy(once.code),
    madeFolder,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/**
 * Makes the lab's folder where it is missing. One whose parent is missing, too, is rather mistyped than new.
 *
 * @returns whether it was missing
 */
function makeRoot(folder: string): boolean {
  const parent = dirname(resolve(folder));
  if (!existsSync(parent))
    throw userError({
      where: folder,
      required: "a folder, or a new one in a folder that is there",
      got: `nothing there, and no ${parent} either`,
      advice: "Correct the path, or make that folder first.",
    });
  try {
    return makeFolder(folder).length > 0;
  } catch (error) {
    throw fileError(error, folder, "a folder for runs");
  }
}

/** The names that the page may be opened by: this machine's own, and never one that somebody else could choose. */
function hostNames(host: string): string[] {
  const own = ["127.0.0.1", "localhost", "[::1]"];
  if (loopback.has(host)) return own;
  const addresses = Object.values(networkInterfaces()).flatMap((entries) =>
    (entries ?? []).map(({ address, family }) => (family === "IPv6" ? `[${address.toLowerCase()}]` : address)),
  );
  return [
    ...own,
    host.includes(":") ? `[${host.toLowerCase()}]` : host.toLowerCase(),
    hostname().toLowerCase(),
    ...addresses,
  ];
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const taken = error.code === "EADDRINUSE";
      const refused = unusableAddress.has(error.code ?? "");
      if (!taken && !refused) return reject(error);
      reject(
        userError({
          where: `${host}:${port}`,
          required: "an address to listen at",
          got: taken ? "one that is taken" : "one that this machine does not have or give",
          advice: taken ? "Choose another --port." : "Choose another --host or --port.",
        }),
      );
    });
    server.listen(port, host, () => resolve());
  });
}
