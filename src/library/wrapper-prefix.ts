/** State dicts of networks that are wrapped, as by torch.compile, DataParallel or Lightning. */
import { userError } from "../errors.js";
import type { StateDict } from "./restore-by-values.js";

/**
 * What all names of a state dict begin with and a network's names do not, such as `module.` or `_orig_mod.`; undefined where
 * the two have a name in common, or none even so.
 */
export function wrapperPrefix(names: Iterable<string>, state: ReadonlyMap<string, unknown>): string | undefined {
  const wanted = [...names];
  const [first = ""] = state.keys();
  if (wanted.some((name) => state.has(name))) return undefined;
  const prefixes = [...first.matchAll(/\./g)].map(({ index }) => first.slice(0, index + 1));
  return prefixes.find(
    (prefix) =>
      [...state.keys()].every((name) => name.startsWith(prefix)) &&
      wanted.some((name) => state.has(`${prefix}${name}`)),
  );
}

/** @throws UserError where the state dict is of a wrapped network, and the names of the exported one are of that inside */
export function requireUnwrapped(names: Iterable<string>, { where, tensors }: StateDict): void {
  const prefix = wrapperPrefix(names, tensors);
  if (prefix === undefined) return;
  throw userError({
    where,
    required: "the names of the network that was exported",
    got: `names that all begin with "${prefix}", as where it is wrapped by torch.compile, DataParallel or Lightning`,
    advice: `Save the network inside: save_model(model.${prefix.slice(0, -1)}, "state.safetensors").`,
  });
}
