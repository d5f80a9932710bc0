/** Numbers of the Parquet format (parquet-format, parquet.thrift). */

export const physicalType = { BOOLEAN: 0, INT32: 1, INT64: 2, FLOAT: 4, DOUBLE: 5, BYTE_ARRAY: 6 } as const;
export type PhysicalType = keyof typeof physicalType;

export const encoding = { PLAIN: 0, RLE: 3, DELTA_BINARY_PACKED: 5, RLE_DICTIONARY: 8 } as const;

export const codec = { none: 0, zstd: 6 } as const;
export type Compression = keyof typeof codec;

export const repetition = { required: 0, optional: 1, repeated: 2 } as const;

export const pageType = { data: 0, dictionary: 2 } as const;

/** First and last four bytes of every file. */
export const MAGIC = Uint8Array.of(0x50, 0x41, 0x52, 0x31);

/**
 * Cells per page of the lists, and the unit of parallel work: pages begin at multiples of it, so that the same cells give the same pages
 * however they are sliced. 256 cells of 2,000 counts are 2 MB of ids, which stay in a core's cache while they are encoded.
 */
export const PAGE_CELLS = 256;

/** A page also ends once it holds so many counts: 8 MB of them in memory, whatever the cells hold. */
export const PAGE_VALUES = 1 << 20;

/** Row groups end once their lists fill so many bytes: the least that loaders of big warehouses ask for. */
export const ROW_GROUP_BYTES = 16 * 1024 ** 2;
