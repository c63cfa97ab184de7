/** Reads the files beside a model in which ONNX may keep weights: inside the model's folder, and nowhere else. */
import { closeSync, constants, fstatSync, openSync, readSync, realpathSync } from "node:fs";
import { dirname, isAbsolute, join, relative, sep } from "node:path";
import { fileError, userError } from "../errors.js";
import type { ExternalReader } from "./onnx-tensor.js";

/** How a format calls what lies beside its models, and how such a file comes to be there. */
interface ExternalWords {
  readonly what: string;
  readonly advice: string;
}

const onnxWords: ExternalWords = {
  what: "external data",
  advice:
    "Put the data beside the model, or export the model again (in PyTorch with external_data=False for one file).",
};

/**
 * A reader for the external data of a model file.
 *
 * Refused are absolute paths, ways out by ".." or links, and locations that name memory; offset and length are checked
 * against the file before anything is allocated.
 */
export function externalDataReader(modelPath: string, { what, advice } = onnxWords): ExternalReader {
  return (location, offset, length) => {
    const where = `${modelPath}: ${what} "${location}"`;
    const refuse = (got: string): Error =>
      userError({
        where,
        required: "a file inside the model's folder",
        got,
        advice,
      });
    if (location.includes("_ORT_MEM_ADDR_")) throw refuse("an address in memory");
    if (location === "" || location.includes("\0")) throw refuse("no file name");
    if (isAbsolute(location) || /^[a-zA-Z]:|^\\/.test(location)) throw refuse("an absolute path");
    if (location.split(/[/\\]/).includes("..")) throw refuse("a path that leads out of it");
    let descriptor: number | undefined;
    try {
      const folder = realpathSync(dirname(modelPath));
      const path = realpathSync(join(folder, location));
      const inside = relative(folder, path);
      if (inside === ".." || inside.startsWith(`..${sep}`) || isAbsolute(inside))
        throw refuse("a link that leads out of it");
      // Opening a named pipe would wait for a writer for ever.
      descriptor = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
      const status = fstatSync(descriptor);
      if (!status.isFile()) throw refuse("something else than a file");
      const wanted = length ?? status.size - offset;
      if (offset < 0 || wanted < 0 || offset + wanted > status.size)
        throw userError({
          where,
          required: `${wanted} bytes from byte ${offset} on`,
          got: `a file of ${status.size} bytes`,
          advice: "The file is cut short or belongs to another model; export the model again.",
        });
      const bytes = new Uint8Array(wanted);
      for (let done = 0; done < wanted; ) {
        const read = readSync(descriptor, bytes, done, Math.min(wanted - done, 2 ** 30), offset + done);
        if (read === 0) throw refuse("a file that shrinks");
        done += read;
      }
      return bytes;
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") throw refuse("nothing there");
      throw fileError(error, where, "a file inside the model's folder");
    } finally {
      if (descriptor !== undefined) closeSync(descriptor);
    }
  };
}
