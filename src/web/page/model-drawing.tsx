/** F, its mirror and D side by side: what F does from top to bottom, the mirror undoes from bottom to top. */
import type { InspectedStep, Inspection } from "./api.js";
import { number, say } from "./language.js";

/** Operators that only move numbers about or name shapes are drawn small. */
const learns = /^(Conv|ConvTranspose|Gemm|MatMul|LSTM|GRU|RNN|Attention)/;

const shapeText = (shape: readonly number[]): string => shape.join("×") || "1";

export function ModelDrawing({ inspection }: { inspection: Inspection }) {
  const { extractor, mirror, discriminator, features, input, parameterCounts, unsupported, head, warnings } =
    inspection;
  const bad = new Set(unsupported.map(({ node }) => node));
  // The mirror's steps undo F's in turn, so that in reverse they stand beside what they undo.
  const mirrored = [...mirror].reverse();
  const rows = alignment(extractor, mirrored);
  return (
    <div class="drawing-holder">
      {unsupported.length > 0 && (
        <div class="warning" role="alert">
          <strong>{say("drawing.unsupported")}</strong>
          <ul>
            {unsupported.map((one) => (
              <li key={one.node}>{say("drawing.unsupportedNode", { ...one })}</li>
            ))}
          </ul>
        </div>
      )}
      {warnings.map((warning) => (
        <p class="warning" key={warning}>
          {warning}
        </p>
      ))}
      <div class="drawing">
        <div class="two-columns">
          <Head title={say("drawing.F")} count={parameterCounts.features} />
          <Head title={say("drawing.mirror")} count={parameterCounts.mirror} />
          <Box op={say("drawing.input")} shape={input.shape} kind="end" />
          <Box op={say("drawing.output")} shape={input.shape} kind="end" />
          {rows.map(({ left, right }, index) => (
            <>
              {left ? (
                <Box
                  key={`f ${left.name} ${index}`}
                  op={left.op}
                  shape={left.shape}
                  name={left.name}
                  arrow="↓"
                  bad={bad.has(left.name ?? "")}
                />
              ) : (
                <span key={`f none ${index}`} />
              )}
              {right ? (
                <Box key={`m ${right.name} ${index}`} op={right.op} shape={right.shape} name={right.name} arrow="↑" />
              ) : (
                <span key={`m none ${index}`} />
              )}
            </>
          ))}
          {features && (
            <div class="box end bridge">
              <span class="op">{say("drawing.features")}</span>
              <span class="shape">{shapeText(features.shape)}</span>
            </div>
          )}
        </div>
        {discriminator && (
          <div class="one-column">
            <Head title={`${say("drawing.D")} (${discriminator.kind})`} count={parameterCounts.discriminator} />
            <Box op={`${say("drawing.input")}, ${say("drawing.output")}`} shape={input.shape} kind="end" />
            {discriminator.layers.map((layer, index) => (
              <Box key={`d ${layer.op} ${index}`} op={layer.op} shape={layer.shape} arrow="↓" />
            ))}
          </div>
        )}
      </div>
      {head.length > 0 && <p class="faint">{say("drawing.head", { head: head.join(", ") })}</p>}
    </div>
  );
}

function Head({ title, count }: { title: string; count: number }) {
  return (
    <div class="column-head">
      <h3>{title}</h3>
      <span class="faint">{say("drawing.parameters", { count: number(count) })}</span>
    </div>
  );
}

function Box(props: {
  op: string;
  shape: readonly number[];
  name?: string | undefined;
  arrow?: string;
  kind?: string;
  bad?: boolean;
}) {
  const { op, shape, name, arrow, kind, bad } = props;
  return (
    <div class={`box ${kind ?? (learns.test(op) ? "learns" : "plain")} ${bad ? "bad" : ""}`} title={name}>
      <span class="op">
        {arrow && <span aria-hidden="true">{arrow} </span>}
        {op}
        {bad && <strong> ✕ {say("drawing.unsupported")}</strong>}
      </span>
      <span class="shape">{shapeText(shape)}</span>
    </div>
  );
}

/**
 * Layers beside the layers that mirror them, by the name that a mirror's step gives of what it undoes. A step of F that has
 * no own step in the mirror stands alone.
 */
function alignment(
  extractor: readonly InspectedStep[],
  mirrored: readonly InspectedStep[],
): { left?: InspectedStep; right?: InspectedStep }[] {
  const rows: { left?: InspectedStep; right?: InspectedStep }[] = [];
  let next = 0;
  for (const left of extractor) {
    const same = (step: InspectedStep, index: number): boolean =>
      index >= next && (step.name ?? "").startsWith(`mirror of ${left.op} `);
    const named = mirrored.findIndex((step, index) => same(step, index) && belongs(step, left));
    // Names of nodes and values may have nothing in common: then order decides.
    const wanted = named < 0 ? mirrored.findIndex(same) : named;
    if (wanted < 0) {
      rows.push({ left });
      continue;
    }
    for (; next < wanted; next++) rows.push({ right: mirrored[next] });
    rows.push({ left, right: mirrored[next++] });
  }
  for (; next < mirrored.length; next++) rows.push({ right: mirrored[next] });
  return rows;
}

/** Whether a mirror's step is of this step of F, by the name of the node that it gives. */
function belongs(step: InspectedStep, left: InspectedStep): boolean {
  const name = (step.name ?? "").split(" ").at(-1) ?? "";
  return name === "" || left.name === undefined || left.name.startsWith(name) || name.startsWith(left.name);
}
