/** What stands in place of an entry that cannot be read. */
import { useEffect, useState } from "preact/hooks";
import { say } from "./language.js";

/** Milliseconds after which the list must know what was just started. */
const longestUnlisted = 2500;

/** Mostly it has been deleted, or has only just been started. */
export function Unreadable({ id, listed, reason }: { id: string; listed: boolean; reason: string }) {
  const [late, setLate] = useState(false);
  useEffect(() => {
    const wait = setTimeout(() => setLate(true), longestUnlisted);
    return () => clearTimeout(wait);
  }, []);
  return (
    <article>
      <h1>{id}</h1>
      {listed || late ? (
        <p class="warning" role="alert">
          {listed ? say("error", { message: reason }) : say("entry.none", { name: id })}
        </p>
      ) : (
        <p>{say("loading")}</p>
      )}
    </article>
  );
}
