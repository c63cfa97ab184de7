/** The tables of attributes, against the definitions of ONNX's operators in all operator sets that are read. */
import { spawnSync } from "node:child_process";
import { expect, inject, it } from "vitest";
import { oldestOpset } from "../../src/formats/onnx-read.js";
import { attributeKind, attributesEver, requiredAttributes } from "../../src/ops/attribute-names.js";

/** Attributes of an operator by name: their kind, and whether every operator set has and requires it. */
type Definitions = Readonly<
  Record<string, Readonly<Record<string, { readonly kind: string; readonly isRequired: boolean }>>>
>;

const script = `
import collections, json
import onnx.defs
schemas = collections.defaultdict(list)
for schema in onnx.defs.get_all_schemas_with_history():
    if schema.domain == "":
        schemas[schema.name].append(schema)
found = {}
for name, versions in schemas.items():
    oldest = max([v.since_version for v in versions if v.since_version <= ${oldestOpset}], default=0)
    read = [v for v in versions if v.since_version >= oldest]
    found[name] = {
        attribute.name: {
            "kind": attribute.type.name.lower(),
            "isRequired": all(attribute.name in v.attributes and v.attributes[attribute.name].required for v in read),
        }
        for version in read
        for attribute in version.attributes.values()
    }
print(json.dumps(found))
`;

function definitions(): Definitions {
  const ran = spawnSync(inject("python"), ["-c", script], { encoding: "utf8", maxBuffer: 2 ** 26 });
  if (ran.status !== 0) throw new Error(ran.stderr);
  return JSON.parse(ran.stdout) as Definitions;
}

it("knows the attributes of every operator as ONNX defines them", () => {
  const known = Object.entries(definitions()).filter(([op]) => attributesEver(op) !== undefined);
  expect(known.length).toBeGreaterThan(120);
  for (const [op, attributes] of known) {
    expect(attributesEver(op)?.sort(), op).toEqual(Object.keys(attributes).sort());
    for (const [name, { kind }] of Object.entries(attributes))
      if (kind !== "sparse_tensor") expect(attributeKind(op, name), `${op}.${name}`).toBe(kind);
    const required = Object.keys(attributes).filter((name) => attributes[name].isRequired);
    expect(requiredAttributes(op).sort(), op).toEqual(required.sort());
  }
});
