/** A dialog to choose a path below the lab's folders. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { FolderListing } from "../protocol.js";
import { api } from "./api.js";
import { number, say } from "./language.js";

export function PathChooser({
  accept,
  onChoose,
  onClose,
}: {
  /** Which files can be chosen. */
  accept: (name: string) => boolean;
  onChoose: (path: string) => void;
  onClose: () => void;
}) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [listing, setListing] = useState<FolderListing>();
  const [error, setError] = useState<string>();
  const open = (path: string): void => {
    void api.choose(path).then(
      (next) => {
        setListing(next);
        setError(undefined);
      },
      (problem: Error) => setError(problem.message),
    );
  };
  useEffect(() => {
    dialog.current?.showModal();
    open(".");
  }, []);
  // The dialog has to be closed for the focus to go back to what opened it.
  const choose = (path: string): void => {
    dialog.current?.close();
    onChoose(path);
  };
  const inside = (name: string): string => (listing?.path === "." ? name : `${listing?.path}/${name}`);
  return (
    <dialog ref={dialog} onClose={onClose} aria-label={say("choose.title")}>
      <div class="row">
        <h2>{listing?.path === "." ? say("choose.runs") : (listing?.path ?? "")}</h2>
        <span class="space" />
        <button type="button" class="quiet" onClick={() => dialog.current?.close()}>
          {say("choose.close")}
        </button>
      </div>
      {error && (
        <p class="warning" role="alert">
          {say("error", { message: error })}
        </p>
      )}
      <div class="row">
        {listing?.parent != null && (
          <button type="button" onClick={() => open(listing.parent ?? ".")}>
            ↑ {say("choose.up")}
          </button>
        )}
        {listing?.roots
          .filter((root) => root !== listing.path)
          .map((root) => (
            <button type="button" key={root} onClick={() => open(root)}>
              {root === "." ? say("choose.runs") : root}
            </button>
          ))}
        {accept("") && (
          <button type="button" onClick={() => listing && choose(listing.path)}>
            {say("choose.thisFolder")}
          </button>
        )}
      </div>
      <ul class="chooser">
        {listing?.folders.map((name) => (
          <li key={name}>
            <button
              type="button"
              class="quiet"
              aria-label={`${name}, ${say("choose.folder")}`}
              onClick={() => open(inside(name))}
            >
              {name}/
            </button>
          </li>
        ))}
        {listing?.files.filter(accept).map((name) => (
          <li key={name}>
            <button type="button" class="quiet file" onClick={() => choose(inside(name))}>
              {name}
            </button>
          </li>
        ))}
      </ul>
      {listing !== undefined && listing.more > 0 && (
        <p class="faint">{say("choose.more", { count: number(listing.more) })}</p>
      )}
    </dialog>
  );
}
