import { randomUUID } from "node:crypto";
import { closeSync, fsyncSync, openSync, readdirSync, rmSync, statSync, writeSync } from "node:fs";
import { rename } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileError, userError } from "../errors.js";
import { isRunning } from "../is-running.js";
import { OpenFile } from "./file-samples.js";
import { makeFolder } from "./make-folder.js";
import { retryHeld } from "./retry-held.js";

/** Most bytes of decoded samples that are kept on disk for one data set. */
export const defaultCacheLimit = 20e9;

/**
 * The folder for what headstart may throw away at any time: XDG_CACHE_HOME or the system's custom.
 *
 * @throws UserError where there is no home folder to make it in
 */
export function defaultCacheFolder(): string {
  const { XDG_CACHE_HOME: xdg, LOCALAPPDATA: local } = process.env;
  if (xdg) return join(xdg, "headstart");
  if (process.platform === "win32" && local) return join(local, "headstart", "cache");
  const home = homeFolder();
  if (process.platform === "darwin") return join(home, "Library", "Caches", "headstart");
  return join(home, ".cache", "headstart");
}

/** @throws UserError where the system knows of none, as of users by number alone in containers */
function homeFolder(): string {
  try {
    return homedir();
  } catch {
    throw userError({
      where: "cache folder",
      required: "a home folder to make it in",
      got: "a user without one",
      advice: "Name another with --cache, or set the environment variable XDG_CACHE_HOME",
    });
  }
}

/** Milliseconds after which a file that grows no more is taken for left behind: another machine may write to the same folder. */
const leftBehindAfter = 24 * 60 * 60 * 1000;

/**
 * Removes what processes have left unfinished in a cache folder that were ended at once; it may be as large as a cache.
 *
 * @param cache the folder, if it is not the default one
 */
export function removeLeftBehind(cache: string | undefined, now = Date.now()): void {
  let names: string[] = [];
  let folder = "";
  try {
    folder = cache ?? defaultCacheFolder();
    names = readdirSync(folder);
  } catch {
    // There is no cache yet, or none that may be read.
  }
  for (const name of names) {
    const writer = /^unfinished-(\d+)-/.exec(name)?.[1];
    if (writer === undefined || isRunning(Number(writer))) continue;
    const path = join(folder, name);
    try {
      if (now - statSync(path).mtimeMs > leftBehindAfter) rmSync(path, { force: true });
    } catch {
      // Another process has removed it, or it may not be removed.
    }
  }
}

/** Files that this process removes when it ends. */
const removedAtExit = new Set<string>();

/** One listener serves all files: Node warns of many. */
function removeAtExit(path: string): void {
  if (removedAtExit.size === 0)
    process.once("exit", () => {
      for (const each of removedAtExit)
        try {
          rmSync(each, { force: true });
        } catch {
          // Another process has it open: a later run removes what is left behind.
        }
    });
  removedAtExit.add(path);
}

/** A file being written piece by piece under a name of its own, until it is whole. */
export class GrowingFile {
  readonly path: string;
  #descriptor: number | undefined;
  length = 0;

  constructor(folder: string) {
    this.path = join(folder, `unfinished-${process.pid}-${randomUUID()}`);
    try {
      makeFolder(folder);
      this.#descriptor = openSync(this.path, "wx");
    } catch (error) {
      throw fileError(error, folder, "a folder to cache samples in", "Name another with --cache.");
    }
  }

  /** Appends bytes. @throws UserError if the disk is full; the file is gone then */
  append(bytes: Uint8Array): void {
    try {
      for (let done = 0; done < bytes.length; ) {
        done += writeSync(this.#descriptor!, bytes, done, Math.min(bytes.length - done, 2 ** 30));
      }
    } catch (error) {
      this.discard();
      throw fileError(error, this.path, "room for samples in the cache folder");
    }
    this.length += bytes.length;
  }

  /** Ends the writing and keeps the file under a name. @throws UserError where another program holds what has that name */
  async keep(path: string): Promise<void> {
    try {
      // A name must not outlive what it is of where the machine loses its power.
      if (this.#descriptor !== undefined) fsyncSync(this.#descriptor);
      this.#close();
      await retryHeld(() => rename(this.path, path));
    } catch (error) {
      throw fileError(error, path, "a file of the cache that no other program has open");
    }
  }

  /** Ends the writing; the file lives as long as someone reads it, where the system allows that. */
  keepWhileOpen(): OpenFile {
    this.#close();
    const file = new OpenFile(this.path);
    try {
      rmSync(this.path);
    } catch {
      // Windows does not remove open files: then this process's end does.
      removeAtExit(this.path);
    }
    return file;
  }

  discard(): void {
    this.#close();
    rmSync(this.path, { force: true });
  }

  #close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }
}
