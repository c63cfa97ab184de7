/** Words as the user's shell takes them, for commands that are shown to be copied. */

/**
 * A word of a command line, in quotes where it needs them: for POSIX shells, or for both PowerShell and cmd.
 *
 * @param platform whose shells are meant
 */
export function shellWord(word: string, platform: NodeJS.Platform = process.platform): string {
  if (platform !== "win32") return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
  // PowerShell makes a list of what has commas. Backslashes count for themselves, but before a quote.
  return /^[\w%+=:./\\-]+$/.test(word)
    ? word
    : `"${word.replace(/(\\*)("|$)/g, (_, strokes, end) => strokes.repeat(2) + (end && '\\"'))}"`;
}
