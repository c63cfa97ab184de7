/** The licences of the packages that a bundle contains: most ask that their text goes with every copy. */

/** The file in the bundle's folder. */
export const licencesFile = "THIRD-PARTY-LICENSES";

/** Where Vite writes what it has found, for the plugin to read; set as `build.license.fileName`. */
export const foundLicences = "licences.json";

/** A Vite plugin that makes {@link licencesFile} of what Vite has found. */
export function thirdPartyLicences() {
  return {
    name: "third-party-licences",
    generateBundle: {
      order: "post",
      handler(_options, bundle) {
        const source = licencesText(JSON.parse(bundle[foundLicences].source));
        delete bundle[foundLicences];
        this.emitFile({ type: "asset", fileName: licencesFile, source });
      },
    },
  };
}

/**
 * @param packages name, version, identifier of the licence, and its text, of each package
 * @throws Error naming the packages without an identifier or a text
 */
export function licencesText(packages) {
  const without = packages.filter(({ identifier, text }) => !identifier || !text).map(({ name }) => name);
  if (without.length > 0) throw new Error(`no licence in the bundled packages ${without.join(", ")}`);
  const parts = packages.map(({ name, version, identifier, text }) => {
    const title = `${name} ${version} (${identifier})`;
    return `${title}\n${"-".repeat(title.length)}\n\n${text}\n`;
  });
  return ["The lab's page contains parts of these packages, under their licences.\n", ...parts].join("\n");
}
