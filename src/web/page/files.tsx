/** The files of a run or study, to take away. */
import type { RunDetail } from "../protocol.js";
import { fileAddress } from "./api.js";
import { bytes, say } from "./language.js";

export function Files({ id, files }: { id: string; files: RunDetail["files"] }) {
  return (
    <section class="panel">
      <h2>{say("take.files")}</h2>
      <ul class="files">
        {files.map(({ name, bytes: size }) => (
          <li key={name}>
            <a href={fileAddress(id, name)} download={name} aria-label={say("take.download", { name })}>
              {name}
            </a>
            <span class="faint">{bytes(size)}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}
