/** SQL text helpers. Values go in as parameters; only names and paths are ever written into a statement. */

export const quoteIdentifier = (name: string): string => `"${name.replaceAll('"', '""')}"`;

export const quoteText = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/** A path that read_parquet takes literally: DuckDB globs otherwise. */
const literalPath = (path: string): string => quoteText(path.replace(/[[*?]/g, "[$&]"));

/** hive_partitioning off: a folder called `sex=female` must not add a column. */
export const readParquet = (paths: readonly string[]): string =>
  `read_parquet([${paths.map(literalPath).join(", ")}], hive_partitioning = false, union_by_name = false)`;

/** For the files of curricula, which DuckDB makes from its own tables. */
export const copyToParquet = (query: string, path: string, rowGroupRows: number): string =>
  `COPY (${query}) TO ${quoteText(path)} (FORMAT parquet, PARQUET_VERSION v2, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE ${rowGroupRows})`;
