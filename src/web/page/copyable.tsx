/** Lines to copy. */
import { useRef, useState } from "preact/hooks";
import { say } from "./language.js";

/** @param props.code whether its lines must stay as they are, where others go on in the next */
export function Copyable({ text, label, code = false }: { text: string; label?: string; code?: boolean }) {
  const [copied, setCopied] = useState(false);
  const lines = useRef<HTMLPreElement>(null);
  const copy = async (): Promise<void> => {
    // A page that came over the network without encryption has no clipboard: what is selected can be copied by hand.
    const done = await navigator.clipboard?.writeText(text).then(
      () => true,
      () => false,
    );
    if (!done) {
      if (lines.current) getSelection()?.selectAllChildren(lines.current);
      return;
    }
    setCopied(true);
    setTimeout(() => setCopied(false), 2000);
  };
  const name = label ?? say("control.command");
  const word = say(copied ? "copied" : "copy");
  return (
    <div class="copyable">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: long lines are scrolled with the keyboard too */}
      <section tabIndex={0} aria-label={name}>
        <pre ref={lines} class={code ? "code" : ""}>
          {text}
        </pre>
      </section>
      <button type="button" class="quiet" aria-label={`${word}: ${name}`} onClick={() => void copy()}>
        {word}
      </button>
      <span class="hidden" role="status">
        {copied ? word : ""}
      </span>
    </div>
  );
}
