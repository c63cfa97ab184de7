/** Lines to copy. */
import { useState } from "preact/hooks";
import { say } from "./language.js";

export function Copyable({ text, label }: { text: string; label?: string }) {
  const [copied, setCopied] = useState(false);
  return (
    <div class="copyable">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: long lines are scrolled with the keyboard too */}
      <section tabIndex={0} aria-label={label ?? say("control.command")}>
        <pre>{text}</pre>
      </section>
      <button
        type="button"
        class="quiet"
        onClick={() => {
          void navigator.clipboard.writeText(text).then(() => {
            setCopied(true);
            setTimeout(() => setCopied(false), 2000);
          });
        }}
      >
        <span role="status">{copied ? say("copied") : say("copy")}</span>
      </button>
    </div>
  );
}
