/** What the server says of the form while it is filled in. */
import { useEffect, useState } from "preact/hooks";
import type { StartRequest } from "../protocol.js";
import { askUntilAnswered } from "./answer.js";
import { api, type Inspection } from "./api.js";
import { isModel } from "./model-files.js";

/** Milliseconds after a key until what has been written is asked about. */
const untilAsked = 300;

/** The options that decide how a model is shown. */
const shownBy = ["features", "input", "inputShape", "freeze", "discriminator", "recipe", "stateDict", "keepNames"];

/** The model as F, mirror and D, with the options that choose these; or why it cannot be shown. */
export function useInspection(
  model: string,
  options: Readonly<Record<string, string>>,
): { readonly inspection?: Inspection; readonly error?: string } {
  const [found, setFound] = useState<{ inspection?: Inspection; error?: string }>({});
  const seen = JSON.stringify(shownBy.map((key) => [key, options[key] ?? ""]));
  useEffect(() => {
    setFound({});
    if (!isModel(model)) return;
    return askLater(
      () => api.inspect(model, Object.fromEntries(JSON.parse(seen) as [string, string][])),
      (inspection) => setFound({ inspection }),
      (error) => setFound({ error }),
    );
  }, [model, seen]);
  return found;
}

/** The command that a request will be, or what is wrong with it. */
export function usePreview(request: StartRequest): { readonly command?: string; readonly error?: string } {
  const [preview, setPreview] = useState<{ command?: string; error?: string }>({});
  useEffect(() => {
    // What is known stays while it is asked anew: the form would jump with every key.
    if (request.model === "") {
      setPreview({});
      return;
    }
    return askLater(
      () => api.command(request),
      ({ command }) => setPreview({ command }),
      (error) => setPreview({ error }),
    );
  }, [request]);
  return preview;
}

/** Asks once nothing more has been written for a moment. @returns ends it */
function askLater<Answer>(
  ask: () => Promise<Answer>,
  take: (answer: Answer) => void,
  refuse: (reason: string) => void,
): () => void {
  let stop = (): void => {};
  const wait = setTimeout(() => {
    stop = askUntilAnswered(ask, take, refuse);
  }, untilAsked);
  return () => {
    clearTimeout(wait);
    stop();
  };
}
