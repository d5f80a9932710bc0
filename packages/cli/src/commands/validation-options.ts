/** What a file is held against, in every verb that looks at files. */
export const validationOptions = {
  profile: {
    type: "string",
    value: "NAME",
    help: "minimal (the default), counts, raw_counts, cellxgene-7.1, cellxgene-7.1-published or cas",
  },
  "gene-list": {
    type: "string",
    multiple: true,
    value: "FILE",
    help: "every feature must be in one of these lists of ids (GENCODE CSV, lines, JSON; .gz)",
  },
} as const;
