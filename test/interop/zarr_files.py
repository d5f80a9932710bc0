"""Zarr hierarchies as zarr-python writes and reads them.

Usage: zarr_files.py write FOLDER    every type, layout and codec, v2 and v3, folders and zips; prints what each array holds
       zarr_files.py read PATH …     prints what the arrays of hierarchies hold
       zarr_files.py anndata FOLDER  AnnData in every zarr layout that anndata writes; prints the paths

Arrays are printed one JSON object a line: path, name, shape, and the values as text.
"""

import json
import os
import shutil
import sys
import warnings

warnings.filterwarnings("ignore")

import numcodecs
import numpy as np
import zarr
from zarr.codecs import BloscCodec, BytesCodec, Crc32cCodec, GzipCodec, ShardingCodec, TransposeCodec, ZstdCodec
from zarr.codecs import numcodecs as v3_numcodecs

rng = np.random.default_rng(1)
dtypes = "bool i1 u1 <i2 >i2 <u2 <i4 >i4 <u4 <i8 >i8 <u8 <f2 <f4 >f4 <f8 >f8 <c8 <c16 <M8[ns] <U7 >U3 S5".split()
fills = [(float("nan"), "<f8"), (float("-inf"), "<f4"), (7, "<i8"), (2**63 - 1, "<i8"), (True, "bool")]


def values(array):
    array = np.asarray(array)
    if array.dtype.fields is not None:
        return [text for name in array.dtype.fields for text in values(array[name])]
    kind = array.dtype.kind
    if kind in "OUST":
        return [x.decode() if isinstance(x, bytes) else str(x) for x in array.ravel().tolist()]
    if kind == "c":
        return [repr(float(x)) for x in array.ravel().view("f8" if array.dtype.itemsize == 16 else "f4")]
    if kind == "f":
        return [repr(float(x)) for x in array.ravel()]
    if kind in "mM":
        return [str(int(x)) for x in array.ravel().view("i8")]
    return [str(int(x)) for x in array.ravel()]


def note(path, name, array):
    print(json.dumps({"path": path, "name": name, "shape": list(np.shape(array)), "values": values(array)}))


def sample(dtype, shape):
    count = int(np.prod(shape))
    kind = np.dtype(dtype).kind
    if kind == "U":
        return np.array([f"aé{i % 13}" for i in range(count)], dtype=dtype).reshape(shape)
    if kind == "S":
        return np.array([b"x%d" % (i % 13) for i in range(count)], dtype=dtype).reshape(shape)
    numbers = rng.integers(0, 2 if kind == "b" else 100, count)
    if kind == "c":
        numbers = numbers + 1j * rng.standard_normal(count)
    return numbers.astype(dtype).reshape(shape)


def label(dtype):
    return dtype.strip("<>").replace("[", "").replace("]", "") + ("B" if dtype[0] == ">" else "")


def fresh(path):
    return zarr.storage.ZipStore(path, mode="w") if path.endswith(".zip") else zarr.storage.LocalStore(path)


def put(group, path, name, array, **options):
    stored = group.create_array(name, shape=array.shape, dtype=options.pop("dtype", array.dtype), **options)
    stored[...] = array
    # Filters may lose precision: what counts is what zarr-python reads.
    note(path, name, stored[...])


def v2(path):
    store = fresh(path)
    group = zarr.create_group(store, zarr_format=2, attributes={"a": [1, 2, {"b": None}], "nan": float("nan")})
    for dtype in dtypes:
        for order in "CF":
            options = dict(chunks=(4, 3, 5), order=order, compressors=numcodecs.Zstd(1))
            put(group, path, f"type_{label(dtype)}_{order}", sample(dtype, (13, 7, 5)), **options)
    compressors = {
        "none": None,
        "zlib": numcodecs.Zlib(3),
        "gzip": numcodecs.GZip(3),
        "zstd": numcodecs.Zstd(3),
        "lz4": numcodecs.LZ4(),
        "small_blocks": numcodecs.Blosc(cname="lz4", shuffle=2, clevel=5, blocksize=512),
    }
    for name in ["blosclz", "lz4", "lz4hc", "zlib", "zstd"]:
        for shuffle in (0, 1, 2):
            compressors[f"blosc_{name}_{shuffle}"] = numcodecs.Blosc(cname=name, shuffle=shuffle, clevel=5)
    for name, compressor in compressors.items():
        for dtype in ("<f4", "<i8", "u1", "<i2"):
            array = np.repeat(sample(dtype, (997,)), 7)
            options = dict(chunks=(3001,), compressors=compressor, chunk_key_encoding={"name": "v2", "separator": "/"})
            put(group, path, f"codec_{name}_{label(dtype)}", array, **options)
    whole = sample("<i4", (101,))
    half = rng.standard_normal(101).astype("<f4")
    filters = {
        "delta": (whole, numcodecs.Delta("<i4")),
        "delta_narrow": (whole, numcodecs.Delta("<i4", astype="<i2")),
        "delta_float": (half, numcodecs.Delta("<f4")),
        "shuffle": (whole, numcodecs.Shuffle(4)),
        "scale": (whole, numcodecs.FixedScaleOffset(offset=3, scale=10, dtype="<i4", astype="<u2")),
        "scale_float": (half, numcodecs.FixedScaleOffset(offset=3, scale=10, dtype="<f4", astype="<i2")),
        "quantize": (half, numcodecs.Quantize(2, "<f4")),
        "astype": (half, numcodecs.AsType("<f8", "<f4")),
        "packbits": (whole > 50, numcodecs.PackBits()),
        "crc32": (whole, numcodecs.CRC32()),
        "adler32": (whole, numcodecs.Adler32()),
    }
    for name, (array, codec) in filters.items():
        put(group, path, f"filter_{name}", array, chunks=(30,), filters=[codec], compressors=numcodecs.Zlib(1))
    texts = np.array(["", "ä", "long" * 30, "x"] * 5, dtype=object)
    put(group, path, "texts", texts, dtype=str, chunks=(6,), compressors=numcodecs.Blosc())
    records = np.zeros(9, dtype=[("x", ">i4"), ("y", "<U3"), ("z", "<f8")])
    records["x"], records["y"], records["z"] = np.arange(9), "ab", 1.5
    put(group, path, "records", records, chunks=(4,))
    missing_chunks(group, path)
    store.close()


def missing_chunks(group, path, shards=None):
    for i, (fill, dtype) in enumerate(fills):
        options = {} if shards is None else {"shards": shards}
        name = f"fill_{i}" if shards is None else f"fill_shard_{i}"
        array = group.create_array(name, shape=(9, 9), chunks=(2, 2), dtype=dtype, fill_value=fill, **options)
        array[0:4, 0:4] = 1
        note(path, name, array[...])
    if shards is None:
        put(group, path, "scalar", np.array(2.5))
        put(group, path, "empty", np.zeros((0, 5)), chunks=(1, 5))
        group.create_group("sub/deep", attributes={"k": "v"})


def v3(path):
    store = fresh(path)
    group = zarr.create_group(store, zarr_format=3, attributes={"a": [1, 2, {"b": None}]})
    for dtype in dtypes:
        array = sample(dtype, (13, 7, 5))
        put(group, path, f"type_{label(dtype)}", array, chunks=(4, 3, 5))
        if dtype[-2] not in "US":
            put(group, path, f"shard_{label(dtype)}", array, chunks=(2, 3, 5), shards=(8, 6, 5))
    array = sample("<i4", (13, 7, 5))
    layouts = {
        "transpose": dict(filters=[TransposeCodec(order=(2, 0, 1))]),
        "transpose_shard": dict(filters=[TransposeCodec(order=(2, 0, 1))], shards=(8, 6, 10)),
        "big": dict(serializer=BytesCodec(endian="big")),
        "crc32c": dict(compressors=[GzipCodec(), Crc32cCodec()]),
        "zstd_checksum": dict(compressors=[ZstdCodec(level=3, checksum=True)]),
        "blosc": dict(compressors=[BloscCodec(cname="zstd", shuffle="bitshuffle")]),
        "blosc_lz4": dict(compressors=[BloscCodec(cname="lz4", shuffle="bitshuffle")]),
        "plain": dict(compressors=None),
        "v2_keys": dict(chunk_key_encoding={"name": "v2", "separator": "."}),
        "dots": dict(chunk_key_encoding={"name": "default", "separator": "."}),
        "index_first": dict(shards={"shape": (8, 6, 10), "index_location": "start"}),
        "lz4": dict(compressors=[v3_numcodecs.LZ4()]),
        "zlib": dict(compressors=[v3_numcodecs.Zlib()]),
        "delta": dict(filters=[v3_numcodecs.Delta(dtype="<i4")]),
        "scale": dict(filters=[v3_numcodecs.FixedScaleOffset(offset=3, scale=10, dtype="<i4", astype="<u2")]),
        "shuffle": dict(compressors=[v3_numcodecs.Shuffle(elementsize=4), ZstdCodec()]),
    }
    for name, options in layouts.items():
        put(group, path, f"layout_{name}", array, chunks=(4, 3, 5), **options)
    inner = ShardingCodec(chunk_shape=(2, 3, 5), codecs=[BytesCodec(), ZstdCodec()])
    around = ShardingCodec(chunk_shape=(1, 2, 1), codecs=[BytesCodec(), ZstdCodec()])
    for name, codecs in {
        "nested": [ShardingCodec(chunk_shape=(4, 6, 5), codecs=[inner])],
        "around": [TransposeCodec(order=(2, 0, 1)), around, GzipCodec()],
    }.items():
        options = dict(shape=array.shape, chunks=(8, 6, 5), dtype="<i4", codecs=codecs, zarr_format=3)
        stored = zarr.create(store=store, path=name, **options)
        stored[...] = array
        note(path, name, array)
    texts = np.array(["", "ä", "long" * 30, "x"] * 5, dtype=object)
    put(group, path, "texts", texts, dtype=str, chunks=(6,))
    put(group, path, "texts_shard", texts, dtype=str, chunks=(5,), shards=(10,))
    filled = group.create_array("texts_fill", shape=(5,), chunks=(3,), dtype=str, fill_value="hm")
    note(path, "texts_fill", filled[...])
    records = np.zeros(9, dtype=[("x", "<i4"), ("y", "<U3"), ("z", "<f8")])
    records["x"], records["y"], records["z"] = np.arange(9), "ab", 1.5
    put(group, path, "records", records, chunks=(4,))
    missing_chunks(group, path)
    missing_chunks(group, path, shards=(4, 4))
    store.close()


def write(folder):
    for name in ("v2", "v3"):
        make = {"v2": v2, "v3": v3}[name]
        make(f"{folder}/{name}.zarr")
        make(f"{folder}/{name}.zarr.zip")
        shutil.copytree(f"{folder}/{name}.zarr", f"{folder}/{name}c.zarr")
        zarr.consolidate_metadata(f"{folder}/{name}c.zarr", zarr_format=int(name[1]))


def read(path):
    store = zarr.storage.ZipStore(path, mode="r") if path.endswith(".zip") else path
    group = zarr.open_group(store, mode="r")
    print(json.dumps({"path": path, "attributes": dict(group.attrs), "consolidated": group.metadata.consolidated_metadata is not None}))
    for name, array in sorted(group.members(max_depth=None)):
        if isinstance(array, zarr.Array):
            print(json.dumps({"path": path, "name": name, "dtype": str(array.dtype), "shape": list(array.shape), "values": values(array[...])}))


def write_anndata(folder):
    import anndata
    import pandas as pd
    from scipy import sparse

    rows, columns = 60, 40
    a = anndata.AnnData(
        sparse.random(rows, columns, 0.3, format="csr", dtype="f4", rng=rng),
        obs=pd.DataFrame(
            {
                "kind": pd.Categorical(rng.choice(["a", "b", "ü"], rows)),
                "rank": pd.Categorical(rng.choice(["lo", "hi"], rows), categories=["lo", "hi"], ordered=True),
                "name": [f"n{i}" for i in range(rows)],
                "flag": rng.random(rows) < 0.5,
                "count": pd.array([None if i % 7 == 0 else i for i in range(rows)], dtype="Int64"),
                "maybe": pd.array([None if i % 5 == 0 else i % 2 == 0 for i in range(rows)], dtype="boolean"),
                "score": rng.standard_normal(rows),
            },
            index=[f"cell{i}" for i in range(rows)],
        ),
        var=pd.DataFrame(index=[f"gene{i}" for i in range(columns)]),
        layers={
            "csc": sparse.random(rows, columns, 0.2, format="csc", rng=rng),
            "dense": rng.integers(0, 9, (rows, columns)).astype("i4"),
        },
        obsm={"X_pca": rng.standard_normal((rows, 5)).astype("f4"), "frame": pd.DataFrame({"u": np.arange(rows)}, index=[f"cell{i}" for i in range(rows)])},
        obsp={"near": sparse.random(rows, rows, 0.1, format="csr", rng=rng)},
        uns={
            "text": "hello",
            "number": 3,
            "nothing": None,
            "list": np.array(["x", "yy"], dtype=object),
            "records": np.rec.fromarrays([np.array([1, 2], dtype="i4"), np.array(["a", "bcd"])], names="x,y"),
            "deep": {"er": {"est": np.arange(3)}},
        },
    )
    a.raw = a.copy()
    codecs = {
        "none": None,
        "gzip": numcodecs.GZip(5),
        "zstd": numcodecs.Zstd(5),
        "blosc_lz4": numcodecs.Blosc(cname="lz4", shuffle=2),
        "blosc_zstd": numcodecs.Blosc(cname="zstd", shuffle=2),
    }
    for name, codec in codecs.items():
        anndata.settings.zarr_write_format = 2
        save(a, f"{folder}/v2_{name}.zarr", lambda group: put_anndata(group, a, dict(compressor=codec)))
    anndata.settings.zarr_write_format = 3
    for name, codec in {
        "none": [],
        "gzip": [GzipCodec(level=5)],
        "blosc_lz4": [BloscCodec(cname="lz4", shuffle="bitshuffle")],
        "blosc_zstd": [BloscCodec(cname="zstd", shuffle="bitshuffle")],
    }.items():
        save(a, f"{folder}/v3_{name}.zarr", lambda group: put_anndata(group, a, dict(compressors=codec)))
    save(a, f"{folder}/v3_sharded.zarr", lambda group: put_sharded(group, a))
    for version in (2, 3):
        anndata.settings.zarr_write_format = version
        path = f"{folder}/v{version}_default.zarr"
        a.write_zarr(path)
        print(path)
        with zarr.storage.ZipStore(f"{path}.zip", mode="w") as store:
            a.write_zarr(store)
        print(f"{path}.zip")


def save(a, path, put_into):
    import anndata

    group = zarr.open_group(path, mode="w", zarr_format=anndata.settings.zarr_write_format)
    put_into(group)
    if "none" in path:
        zarr.consolidate_metadata(group.store)
    print(path)


def put_anndata(group, a, options):
    from anndata.io import write_elem

    write_elem(group, "/", a, dataset_kwargs=options)


def put_sharded(group, a):
    from anndata.experimental import write_dispatched

    def callback(write, into, key, element, dataset_kwargs, iospec):
        big = iospec.encoding_type in ("array", "string-array") and np.size(element) > 20 and np.ndim(element) == 1
        options = dict(dataset_kwargs)
        if big:
            options = {**options, "chunks": (7,), "shards": (21,)}
        elif iospec.encoding_type == "array" and np.ndim(element) == 2:
            options = {**options, "chunks": (10, element.shape[1]), "shards": (30, element.shape[1])}
        elif iospec.encoding_type in ("csr_matrix", "csc_matrix"):
            options = {**options, "chunks": (16,), "shards": (64,)}
        write(into, key, element, dataset_kwargs=options)

    write_dispatched(group, "/", a, callback=callback)


command, *arguments = sys.argv[1:]
for argument in arguments:
    {"write": write, "read": read, "anndata": write_anndata}[command](argument)
