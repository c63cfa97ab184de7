/** What is dropped onto the form that starts a run or a study. */
import { useEffect, useRef, useState } from "preact/hooks";
import { api } from "./api.js";
import type { DroppedFile } from "./dropped-files.js";
import { say } from "./language.js";
import { isModel } from "./model-files.js";

/** Files that a model reads beside its own: their names stand in it. */
const isModelPart = (name: string): boolean => /(\.bin|\.onnx[._]data)$/i.test(name);

/** Names of MNIST's files, and of those that follow it. */
const isLabels = (name: string): boolean => /labels[-.]idx1/i.test(name);
const isTest = (name: string): boolean => /^(t10k|test)[-_.][^/]*$/i.test(name);

/**
 * Copies what is dropped into the lab's folder, and fills it in where it belongs.
 *
 * @param isFresh whether the form begins without settings of its own: then what was dropped before it was shown counts
 * @returns what has been copied, in words, and why the rest was not
 */
export function useDropped(
  dropped: Promise<readonly DroppedFile[]> | undefined,
  isFresh: boolean,
  command: "init" | "compare",
  setModel: (path: string) => void,
  set: (key: string, value: string) => void,
): { readonly note: string; readonly error: string | undefined } {
  const [note, setNote] = useState("");
  const [error, setError] = useState<string>();
  // What was dropped onto the form before fills in this one too, unless it begins with settings of its own.
  const used = useRef(isFresh ? undefined : dropped);
  useEffect(() => {
    if (!dropped || used.current === dropped) return;
    used.current = dropped;
    setError(undefined);
    const take = async (): Promise<void> => {
      const files = await dropped;
      for (const { name, file } of files) {
        setNote(say("start.uploading", { name }));
        const { path } = await api.upload(name, file);
        // Something else has been dropped meanwhile.
        if (used.current !== dropped) return;
        setNote(say("start.uploaded", { path }));
        const [folder, inside] = name.split("/");
        if (isModel(name)) setModel(path);
        // These are found beside what they belong to.
        else if (isLabels(name) || isModelPart(name)) continue;
        else if (command === "compare" && isTest(name)) set("test", path);
        // Of a folder the folder itself is the data.
        else set("data", inside === undefined ? path : path.slice(0, path.indexOf(`/${folder}/`) + folder.length + 1));
      }
    };
    void take().catch((problem: Error) => {
      if (used.current !== dropped) return;
      setNote("");
      setError(problem.message);
    });
  }, [dropped]);
  return { note, error };
}
