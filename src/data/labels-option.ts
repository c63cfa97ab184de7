/** What says on the command line where labels are, for messages; in the library it is the option `labels` or `labelColumn`. */
export const labelsOption = "--labels, in compare --label-column";
