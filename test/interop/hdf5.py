"""Writes HDF5 files of every layout, index, filter and type that h5py knows, and what they hold, for hdf5.test.ts.

usage: hdf5.py FOLDER [plugins | parallel | matrices]

With "plugins": the one file that needs hdf5plugin's filters, alone. With "parallel": datasets big enough that threads are asked. With
"matrices": an AnnData file whose layers are matrices in storage that Python's anndata does not choose itself, and their rows as CSR.

Prints one JSON line per file: {"path", "objects": {path: {"kind", "attributes", "children", "shape", "values", "rows", "columns"}}}.
Numbers are compared as the SHA-256 of their little-endian bytes, strings as lists.
"""

import ctypes
import hashlib
import json
import sys
import zlib
from pathlib import Path

import h5py
import hdf5plugin
import numpy as np
import scipy.sparse as sp

rng = np.random.default_rng(7)


def digest(array):
    array = np.ascontiguousarray(array)
    return hashlib.sha256(array.astype(array.dtype.newbyteorder("<")).tobytes()).hexdigest()


def describe_values(values):
    """What our reader must give: strings as lists, records by member, lists by offsets, numbers by hash."""
    values = np.asarray(values)
    if isinstance(next(iter(values.flat), None), h5py.Reference):
        return {"references": values.size}
    if values.dtype.names:
        return {name: describe_values(values[name]) for name in values.dtype.names}
    if values.dtype.kind == "O":
        flat = values.ravel()
        if len(flat) and isinstance(flat[0], np.ndarray):
            joined = np.concatenate(list(flat))
            return {"lengths": [len(one) for one in flat], "joined": digest(joined)}
        return [one.decode() if isinstance(one, bytes) else one for one in flat]
    if values.dtype.kind == "S":
        return [one.decode() for one in values.ravel()]
    if values.dtype.kind == "f" and values.dtype.itemsize == 2:
        values = values.astype(np.float32)
    if values.dtype == bool:
        values = values.astype(np.int8)
    return {"sha": digest(values)}


def describe(dataset):
    if dataset.shape is None:
        return {"shape": None, "values": None}
    values = dataset[()]
    out = {"shape": list(dataset.shape), "values": describe_values(values)}
    if dataset.ndim >= 1 and dataset.shape[0] > 2 and dataset.size:
        start, end = dataset.shape[0] // 3, dataset.shape[0] * 2 // 3 + 1
        out["rows"] = [start, end, describe_values(dataset[start:end])]
        if dataset.ndim >= 2 and dataset.shape[1] > 2 and values.dtype.kind in "iuf":
            left, right = dataset.shape[1] // 3, dataset.shape[1] * 2 // 3
            out["columns"] = [start, end, left, right, describe_values(dataset[start:end, left:right])]
    return out


def describe_file(path):
    objects = {}

    def add(name, node):
        kinds = {h5py.Group: "group", h5py.Dataset: "dataset", h5py.Datatype: "datatype"}
        entry = {"kind": next(kind for of, kind in kinds.items() if isinstance(node, of))}
        entry["attributes"] = {}
        for key in node.attrs:
            value = node.attrs[key]
            if isinstance(value, h5py.Empty):
                entry["attributes"][key] = None
            elif isinstance(value, str):
                entry["attributes"][key] = [value]
            else:
                entry["attributes"][key] = describe_values(value)
        if isinstance(node, h5py.Dataset) and not node.is_virtual:
            entry.update(describe(node))
        if isinstance(node, h5py.Group):
            entry["children"] = sorted(node.keys())
        objects["/" + name.strip("/")] = entry

    with h5py.File(path, "r") as file:
        add("/", file)
        file.visititems(add)
    print(json.dumps({"path": str(path), "objects": objects}))


def layouts(file):
    n = np.arange(1000, dtype="i4")
    file["contiguous"] = n
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_layout(h5py.h5d.COMPACT)
    space = h5py.h5s.create_simple((5,))
    compact = h5py.h5d.create(file.id, b"compact", h5py.h5t.STD_I32LE, space, plist)
    compact.write(h5py.h5s.ALL, h5py.h5s.ALL, n[:5].copy())
    file.create_dataset("single", data=n, chunks=(1000,))
    file.create_dataset("single-filtered", data=n, chunks=(1000,), compression="gzip")
    file.create_dataset("empty", shape=(0,), maxshape=(None,), dtype="f4", chunks=(10,))
    file.create_dataset("scalar", data=np.float64(1.5))
    file["null"] = h5py.Empty("f4")
    file.create_dataset("never-written", shape=(100, 7), dtype="f8", fillvalue=2.5)
    file.create_dataset("never-written-chunked", shape=(100, 7), dtype="i2", fillvalue=-3, chunks=(9, 4))
    some = file.create_dataset("some-chunks", shape=(1000,), dtype="i4", fillvalue=9, chunks=(10,), maxshape=(None,))
    some[300:333] = n[:33]
    some[900:905] = 1
    never = file.create_dataset("fill-never", shape=(50,), dtype="i4", chunks=(10,), fill_time="never", fillvalue=4)
    never[0:10] = 5


def indexes(file):
    """Every chunk index, with and without filters, from one chunk to several pages."""
    for filtered in (False, True):
        mark = "-gz" if filtered else ""
        how = {"compression": "gzip", "shuffle": True} if filtered else {}
        for count in (2, 5, 33, 1500, 5000):
            data = rng.integers(0, 1000, count * 3 - 1).astype("i4")
            file.create_dataset(f"fixed-{count}{mark}", data=data, chunks=(3,), **how)
            file.create_dataset(f"extensible-{count}{mark}", data=data, chunks=(3,), maxshape=(None,), **how)
        sparse = file.create_dataset(f"fixed-sparse{mark}", shape=(9000,), chunks=(3,), dtype="i4", **how)
        sparse[4000:4010] = 3
        sparse[8990:] = 4
        far = file.create_dataset(f"extensible-sparse{mark}", shape=(40000,), chunks=(2,), dtype="i4", maxshape=(None,), **how)
        far[100:103] = 3
        far[39000:39005] = 4
        plane = rng.normal(size=(37, 53)).astype("f8")
        file.create_dataset(f"plane{mark}", data=plane, chunks=(5, 7), **how)
        file.create_dataset(f"plane-first{mark}", data=plane, chunks=(5, 7), maxshape=(None, 60), **how)
        file.create_dataset(f"plane-second{mark}", data=plane, chunks=(5, 7), maxshape=(40, None), **how)
        file.create_dataset(f"plane-both{mark}", data=plane, chunks=(5, 7), maxshape=(None, None), **how)
        file.create_dataset(f"plane-larger{mark}", data=plane, chunks=(5, 7), maxshape=(111, 222), **how)
        cube = rng.integers(0, 255, (11, 12, 13)).astype("u1")
        file.create_dataset(f"cube{mark}", data=cube, chunks=(4, 5, 6), maxshape=(None, None, 13), **how)
        file.create_dataset(f"cube-middle{mark}", data=cube, chunks=(4, 5, 6), maxshape=(11, None, 13), **how)
        many = rng.integers(0, 9, (200, 210)).astype("i2")
        file.create_dataset(f"b-tree{mark}", data=many, chunks=(3, 3), maxshape=(None, None), **how)
        shrunk = file.create_dataset(f"shrunk{mark}", data=plane, chunks=(5, 7), maxshape=(None, None), **how)
        shrunk.resize((18, 20))
        file.create_dataset(f"five{mark}", data=rng.integers(0, 9, (3, 4, 5, 2, 3)).astype("u1"), chunks=(2, 3, 2, 2, 2), **how)


def paged(file):
    """Data blocks of an extensible array have pages from its 131,000th element on."""
    for mark, how in (("", {}), ("-gz", {"compression": "gzip"})):
        far = file.create_dataset(f"far{mark}", shape=(150_000,), chunks=(1,), dtype="i4", maxshape=(None,), **how)
        for start in (131_100, 140_000, 149_990):
            far[start : start + 10] = np.arange(10) + start


def tiny(file):
    """A little of everything that has an index or a heap, small enough to be damaged thousands of times."""
    for mark, how in (("", {}), ("-gz", {"compression": "gzip", "shuffle": True})):
        data = np.arange(120, dtype="i2")
        file.create_dataset(f"fixed{mark}", data=data, chunks=(7,), **how)
        file.create_dataset(f"extensible{mark}", data=data, chunks=(3,), maxshape=(None,), **how)
        plane = data.reshape(10, 12)
        file.create_dataset(f"b-tree{mark}", data=plane, chunks=(3, 5), maxshape=(None, None), **how)
    for i in range(12):
        file["fixed"].attrs[f"a{i}"] = i
        file[f"group/d{i}"] = i
    file["group"].attrs["long"] = "x" * 5000
    file["group"].attrs.update({f"a{i}": np.arange(i) for i in range(12)})
    file["strings"] = ["a", "bc", "def"]


def early(file):
    """Implicit index: allocated at once, no filters."""
    for name, shape, maxshape in (("implicit", (100,), None), ("implicit-larger", (30, 20), (50, 40))):
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_chunk((7,) * len(shape))
        plist.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        space = h5py.h5s.create_simple(shape, maxshape or shape)
        dataset = h5py.Dataset(h5py.h5d.create(file.id, name.encode(), h5py.h5t.STD_I32LE, space, plist))
        dataset[...] = np.arange(np.prod(shape), dtype="i4").reshape(shape)


def edges(file):
    """Partial chunks at the edge stored without filters (H5Pset_chunk_opts)."""
    for name, shape, maxshape in (("edge", (100, 10), (100, 10)), ("edge-grows", (100, 10), (h5py.h5s.UNLIMITED, 10))):
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_chunk((7, 4))
        plist.set_shuffle()
        plist.set_deflate(4)
        if file.libver[0] not in ("earliest", "v108"):
            assert library().H5Pset_chunk_opts(ctypes.c_int64(plist.id), ctypes.c_uint(2)) >= 0
        space = h5py.h5s.create_simple(shape, maxshape)
        dataset = h5py.Dataset(h5py.h5d.create(file.id, name.encode(), h5py.h5t.STD_I32LE, space, plist))
        dataset[...] = np.arange(1000, dtype="i4").reshape(shape)


def filters(file):
    data = rng.integers(0, 50, 5000).astype("i4")
    noise = rng.integers(0, 2**31, 5000).astype("i4")
    for name, how in {
        "gzip": {"compression": "gzip"},
        "gzip-shuffle": {"compression": "gzip", "shuffle": True},
        "lzf": {"compression": "lzf"},
        "lzf-shuffle": {"compression": "lzf", "shuffle": True},
        "shuffle": {"shuffle": True},
        "fletcher": {"fletcher32": True},
        "all": {"compression": "gzip", "shuffle": True, "fletcher32": True},
        "scaleoffset": {"scaleoffset": 0},
        "scaleoffset-gzip": {"scaleoffset": 0, "compression": "gzip"},
    }.items():
        file.create_dataset(name, data=data, chunks=(999,), **how)
        file.create_dataset(f"{name}-noise", data=noise, chunks=(1024,), **how)
        file.create_dataset(f"{name}-odd", data=data.astype("u1"), chunks=(777,), **how)
        if "scaleoffset" not in name:
            file.create_dataset(f"{name}-f8", data=data.astype(">f8"), chunks=(333,), **how)
    skipped = file.create_dataset("mask", shape=(40,), chunks=(10,), dtype="i4", compression="gzip", shuffle=True)
    skipped.id.write_direct_chunk((10,), np.arange(10, dtype="i4").tobytes(), filter_mask=3)
    skipped[20:40] = 7


def plugins(file):
    """Every filter of hdf5plugin that is read: compressors, shuffles, levels, element sizes, chunks at edges, noise."""
    counts = rng.poisson(0.7, 9000)
    some = {
        "i1": counts.astype("i1"),
        "u2": counts.astype("u2"),
        "f4": counts.astype("f4"),
        "i8be": counts.astype(">i8"),
        "f8": rng.normal(size=9000),
        "noise": rng.integers(0, 2**32, 9000).astype("u4"),
        "constant": np.full(9000, 7, "u4"),
        "S3": np.array([f"{n:03d}" for n in counts], dtype="S3"),
        "records": np.array([(n, n / 2, 1) for n in counts[:3000]], dtype=[("a", "u2"), ("b", "f8"), ("c", "u1")]),
    }
    how = {"zstd-1": hdf5plugin.Zstd(clevel=1), "zstd-19": hdf5plugin.Zstd(clevel=19)}
    for block in (0, 1, 1000, 4096):
        how[f"lz4-{block}"] = hdf5plugin.LZ4(nbytes=block)
    for cname in ("none", "lz4", "zstd"):
        for block in (0, 8, 256):
            how[f"bitshuffle-{cname}-{block}"] = hdf5plugin.Bitshuffle(nelems=block, cname=cname)
    for cname in ("blosclz", "lz4", "lz4hc", "snappy", "zlib", "zstd"):
        for shuffle in (0, 1, 2):
            for level in (1, 9) if shuffle == 1 else (5,):
                try:
                    how[f"blosc-{cname}-{shuffle}-{level}"] = hdf5plugin.Blosc(cname=cname, clevel=level, shuffle=shuffle)
                except ValueError:
                    # Snappy is left out of some builds.
                    assert cname == "snappy", cname
    how["blosc-copied"] = hdf5plugin.Blosc(clevel=0)
    for name, filter_of in how.items():
        for kind, values in some.items():
            # Small chunks, whose last is cut off, and one that holds all; LZ4 with blocks of one byte takes long.
            for chunk in (333, 4000) if name != "lz4-1" else (333,):
                if name == "lz4-1" and kind not in ("i1", "noise"):
                    continue
                try:
                    file.create_dataset(f"{name}/{kind}-{chunk}", data=values, chunks=(min(chunk, len(values)),), compression=filter_of)
                except (OSError, ValueError) as error:
                    print(name, kind, chunk, error, file=sys.stderr)
                    raise
        plane = counts[:8970].astype("i4").reshape(130, 69)
        file.create_dataset(f"{name}/plane", data=plane, chunks=(32, 20), maxshape=(None, None), compression=filter_of)
        file.create_dataset(f"{name}/fletcher", data=plane, chunks=(40, 69), fletcher32=True, compression=filter_of)
        file.create_dataset(f"{name}/shuffle", data=plane, chunks=(40, 69), shuffle=True, compression=filter_of)


def parallel(file):
    """Big enough for threads: every storage in both byte orders, chunks across rows, across columns and across both, some not there."""
    rows, columns = 701, 401
    plane = rng.integers(0, 120, (rows, columns))
    shapes = {"rows": (37, columns), "tall": (rows, 10), "columns": (64, 33), "one": (rows, columns), "beyond": (200, 300)}
    filters = {
        "plain": {},
        "gz": {"compression": "gzip", "compression_opts": 1, "shuffle": True},
        "lzf": {"compression": "lzf"},
        "checked": {"compression": "gzip", "shuffle": True, "fletcher32": True},
    }
    for code in ("<i4", ">i4", ">f8", ">f4", ">f2", "<f2", "<i8", ">i8", ">u2", "u1"):
        values = plane.astype(code)
        file[f"{code}/contiguous"] = values
        file.create_dataset(f"{code}/never", shape=(rows, columns), dtype=code, fillvalue=7)
        for shape, chunks in shapes.items():
            for name, how in filters.items():
                if code == ">f4" or name == "gz" or (code == "<i4" and name == "plain"):
                    file.create_dataset(f"{code}/{shape}-{name}", data=values, chunks=chunks, maxshape=(None, None) if name == "lzf" else None, **how)
        some = file.create_dataset(f"{code}/some", shape=(rows, columns), dtype=code, fillvalue=3, chunks=(64, 33), compression="gzip", shuffle=True)
        some[300:333] = values[300:333]
        some[:, 100:101] = values[:, 100:101]
    flags = file.create_dataset("flags", shape=(2_000_000,), dtype="?", chunks=(10_000,), compression="gzip", fillvalue=True)
    flags[20_000:30_000] = np.arange(10_000) % 2 == 0
    file.create_dataset("indptr", data=np.cumsum(rng.integers(0, 2**33, 200_000)), chunks=(9_999,), compression="gzip", shuffle=True)
    file.create_dataset("indptr-be", data=np.cumsum(rng.integers(0, 2**33, 200_000)).astype(">i8"), chunks=(9_999,), compression="lzf")
    cube = rng.integers(0, 255, (61, 120, 130)).astype(">u2")
    file.create_dataset("cube", data=cube, chunks=(7, 50, 60), compression="gzip")
    file.create_dataset("cube-whole-inside", data=cube, chunks=(7, 50, 130), compression="gzip")
    masks(file, plane)
    edge_chunks(file, plane)


def masks(file, plane):
    """Chunks of one dataset whose filters were left out in every combination."""
    data = np.zeros((750, 420), "<i4")
    data[: plane.shape[0], : plane.shape[1]] = plane
    masked = file.create_dataset("masks", shape=plane.shape, chunks=(150, 60), dtype="<i4", shuffle=True, compression="gzip")
    for i in range(5):
        for j in range(7):
            mask = (i * 7 + j) % 4
            stored = data[i * 150 : (i + 1) * 150, j * 60 : (j + 1) * 60].tobytes()
            if not mask & 1:
                stored = np.frombuffer(stored, "u1").reshape(-1, 4).T.tobytes()
            if not mask & 2:
                stored = zlib.compress(stored, 1)
            masked.id.write_direct_chunk((i * 150, j * 60), stored, filter_mask=mask)
    assert (masked[:] == plane).all()


def edge_chunks(file, plane):
    """Chunks at both edges stored without filters, where the version of the file knows that."""
    for name, maxshape in (("edge", plane.shape), ("edge-grows", (h5py.h5s.UNLIMITED, plane.shape[1]))):
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_chunk((64, 50))
        plist.set_shuffle()
        plist.set_deflate(4)
        if file.libver[0] not in ("earliest", "v108"):
            assert library().H5Pset_chunk_opts(ctypes.c_int64(plist.id), ctypes.c_uint(2)) >= 0
        space = h5py.h5s.create_simple(plane.shape, maxshape)
        dataset = h5py.Dataset(h5py.h5d.create(file.id, name.encode(), h5py.h5t.STD_I32BE, space, plist))
        dataset[...] = plane


def matrices(path):
    """Layers of every storage, and {"path", "layers": {name: {"indptr", "indices", "data"}}} of them as canonical CSR rows."""
    rows, columns = 900, 500
    dense = np.where(rng.random((rows, columns)) < 0.7, rng.integers(1, 100, (rows, columns)), 0)
    sparse = sp.csr_matrix(dense)
    expected = {}
    with h5py.File(path, "w", libver="latest") as file:
        file.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})
        for name, length in (("obs", rows), ("var", columns)):
            frame = file.create_group(name)
            frame.attrs.update({"encoding-type": "dataframe", "encoding-version": "0.2.0", "_index": "_index"})
            frame.attrs.create("column-order", [], dtype=h5py.string_dtype())
            frame["_index"] = [f"{name}{i}" for i in range(length)]
            frame["_index"].attrs.update({"encoding-type": "string-array", "encoding-version": "0.2.0"})
        layers = file.create_group("layers")

        def expect(name, matrix, dtype):
            matrix = sp.csr_matrix(matrix)
            matrix.sum_duplicates()
            wide = np.dtype(dtype).itemsize > 4 or (np.dtype(dtype).kind in "iu" and np.dtype(dtype).itemsize == 4)
            parts = {"indptr": matrix.indptr.astype("f8"), "indices": matrix.indices.astype("i4")}
            parts["data"] = matrix.data.astype("f8" if wide else "f4")
            expected[name] = {part: digest(values) for part, values in parts.items()}

        def compressed(name, matrix, index, data, encoding="csr_matrix", **how):
            group = layers.create_group(name)
            group.attrs.update({"encoding-type": encoding, "encoding-version": "0.1.0", "shape": np.array(matrix.shape)})
            for part, dtype in (("indptr", index), ("indices", index), ("data", data)):
                values = getattr(matrix, part).astype(dtype)
                chunks = {"chunks": (min(how["chunks"][0], len(values)),)} if how else {}
                group.create_dataset(part, data=values, **{**how, **chunks})

        hows = {"contiguous": {}, "gzip": {"chunks": (997,), "compression": "gzip", "shuffle": True}, "lzf": {"chunks": (4099,), "compression": "lzf", "fletcher32": True}}
        for index in ("<i4", ">i4", "<i8", ">i8"):
            for how, storage in hows.items():
                compressed(f"csr{index}-{how}", sparse, index, ">f4" if index[0] == ">" else "<f4", **storage)
                expect(f"csr{index}-{how}", sparse, "f4")
        for data in (">f8", "<i4", ">u2", "i1", ">i8"):
            compressed(f"data{data}", sparse, "<i4", data, **hows["gzip"])
            expect(f"data{data}", sparse, data)
        mixed = sp.csr_matrix((sparse.data, sparse.indices[::-1].copy(), sparse.indptr), shape=sparse.shape)
        mixed.indices[1::7] = mixed.indices[0::7][: len(mixed.indices[1::7])]
        compressed("unsorted", mixed, ">i8", "<f4", **hows["gzip"])
        expect("unsorted", mixed, "f4")
        by_column = sp.csc_matrix(sparse)
        compressed("csc", by_column, ">i8", ">f4", "csc_matrix", **hows["lzf"])
        expect("csc", sparse, "f4")

        def plain(name, values, dtype, **how):
            layer = layers.create_dataset(name, data=values.astype(dtype), **how)
            layer.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
            expect(name, values, dtype)

        for dtype in ("<f4", ">f4", ">f8", "<f2", ">i4", "u1"):
            plain(f"dense{dtype}", dense, dtype, chunks=(64, 33), compression="gzip", shuffle=True)
        plain("dense-contiguous", dense, ">f4")
        plain("dense-tall", dense, "<f4", chunks=(rows, 7), compression="gzip", maxshape=(None, None))
        plain("dense-one", dense, ">f4", chunks=(1024, 512), maxshape=(None, None), compression="lzf")
        some = layers.create_dataset("dense-some", shape=(rows, columns), dtype=">f4", chunks=(100, 33), fillvalue=2.5, compression="gzip")
        some[150:160] = dense[150:160]
        some.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
        expect("dense-some", some[:].astype("f4"), "f4")
    print(json.dumps({"path": str(path), "layers": expected}))


def types(file):
    for order in "<>":
        for code in ("i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8"):
            values = rng.integers(0, 100, 20)
            file[f"{code}{'le' if order == '<' else 'be'}"] = values.astype(order + code)
    file["extremes"] = np.array([-(2**63), 2**63 - 1, 0], dtype="i8")
    file["floats"] = np.array([np.nan, np.inf, -np.inf, -0.0, 1e-310], dtype="f8")
    file["halves"] = np.array([np.inf, -np.inf, 6e-8, 65504, -0.0, 0.1], dtype="f2")
    file["bool"] = np.array([True, False, True])
    file.create_dataset("enum", data=[0, 1, 5], dtype=h5py.enum_dtype({"A": 0, "B": 1, "__proto__": 5}, basetype="u2"))
    file.create_dataset("enum-be", data=[0, 1], dtype=h5py.enum_dtype({"A": 0, "B": 1}, basetype=">i4"))
    file["fixed"] = np.array([b"a", b"", b"gene", "é".encode()], dtype="S6")
    utf8 = file.create_dataset("fixed-utf8", shape=(2,), dtype=h5py.string_dtype("utf-8", 4))
    utf8[:] = np.array(["é".encode(), b"bc"], dtype=utf8.dtype)
    file.create_dataset("vlen", data=["a", "", "gène", "d" * 5000], dtype=h5py.string_dtype())
    file.create_dataset("vlen-ascii", data=["a", "b"], dtype=h5py.string_dtype("ascii"))
    file.create_dataset("vlen-gz", data=[f"cell-{i}" for i in range(2000)], dtype=h5py.string_dtype(), chunks=(300,), compression="gzip")
    file.create_dataset("vlen-plane", data=np.array([["a", "bb"], ["", "dd"]], dtype=object), dtype=h5py.string_dtype())
    padded = h5py.h5t.C_S1.copy()
    padded.set_size(6)
    padded.set_strpad(h5py.h5t.STR_SPACEPAD)
    space = h5py.Dataset(h5py.h5d.create(file.id, b"spaces", padded, h5py.h5s.create_simple((2,))))
    space.id.write(h5py.h5s.ALL, h5py.h5s.ALL, np.array([b"ab    ", b"a c   "], dtype="S6"), padded)
    lists = file.create_dataset("lists", shape=(4,), dtype=h5py.vlen_dtype("f4"))
    for i, length in enumerate((3, 0, 1, 700)):
        lists[i] = np.arange(length, dtype="f4")
    file["opaque"] = np.array(["2020-01-01", "1999-12-31"], dtype="M8[s]").astype(h5py.opaque_dtype("M8[s]"))
    dt = np.dtype([("name", h5py.string_dtype()), ("n", ">i4"), ("x", "f8"), ("fixed", "S3"), ("flag", "?"), ("row", "f4", (3,))])
    records = np.zeros(30, dtype=dt)
    records["name"] = [f"n{i}" for i in range(30)]
    records["n"] = np.arange(30)
    records["x"] = rng.normal(size=30)
    records["fixed"] = b"abc"
    records["flag"] = np.arange(30) % 2 == 0
    records["row"] = rng.normal(size=(30, 3))
    file["records"] = records
    file.create_dataset("records-gz", data=records, chunks=(7,), compression="gzip", shuffle=True)
    file["inner"] = np.zeros(3, dtype=[("a", [("b", "i2"), ("c", "f4")]), ("d", "u1")])
    array = file.create_dataset("array", shape=(4,), dtype="(2,3)i2")
    array[:] = np.arange(24).reshape(4, 2, 3)
    file["named-type"] = np.dtype("f4")
    file.create_dataset("committed", data=np.ones(3, "f4"), dtype=file["named-type"])
    file["committed"].attrs.create("of-committed", np.ones(2, "f4"), dtype=file["named-type"])
    aligned = np.zeros(5, dtype=np.dtype([("a", "u1"), ("b", "f8")], align=True))
    aligned["b"] = 3
    file["aligned"] = aligned


def groups(file):
    for i in range(30):
        file.attrs[f"attribute-{i}"] = f"value {i}" if i % 2 else np.arange(i)
    file.attrs["big"] = "x" * 60_000
    file.attrs["list"] = ["a", "bc", ""]
    file.attrs["null"] = h5py.Empty("f4")
    file.attrs["fixed"] = np.bytes_(b"abc")
    many = file.create_group("many")
    for i in range(700):
        many.create_group(f"child-{i:05d}")
    for count in (1, 8, 9, 60):
        group = file.create_group(f"links-{count}")
        for i in range(count):
            group[f"d{i}"] = i
    ordered = file.create_group("ordered", track_order=True)
    for name in ("z", "a", "m", *(f"o{i}" for i in range(20))):
        ordered[name] = 1
        ordered.attrs[name] = name
    deep = file
    for i in range(20):
        deep = deep.create_group("deep")
    deep["end"] = np.arange(3)
    wide = file.create_dataset("wide", data=np.arange(3))
    for i in range(400):
        wide.attrs[f"a{i}"] = np.full(40, i)
    many.attrs["long " * 100] = 1
    removed = file.create_group("removed")
    for i in range(200):
        removed[f"d{i}"] = i
    for i in range(0, 200, 3):
        del removed[f"d{i}"]


def links(file):
    file["g/d"] = np.arange(4)
    file["hard"] = file["g/d"]
    file["soft"] = h5py.SoftLink("/g/d")
    file["g/relative"] = h5py.SoftLink("d")
    file["outside"] = h5py.ExternalLink("other.h5", "/d")
    layout = h5py.VirtualLayout(shape=(4,), dtype="i8")
    layout[:] = h5py.VirtualSource(".", "/g/d", shape=(4,))
    if file.libver[0] not in ("earliest", "v108"):
        file.create_virtual_dataset("virtual", layout)
    file.create_dataset("references", data=[file["g"].ref, file["g/d"].ref], dtype=h5py.ref_dtype)
    file.attrs["reference"] = file["g"].ref


def library():
    """The HDF5 library that h5py loaded: a few creation properties have no Python name."""
    with open("/proc/self/maps") as maps:
        paths = {line.split()[-1] for line in maps if "libhdf5" in line and "_hl" not in line}
    return ctypes.CDLL(next(iter(paths)))


def create_with(path, libver, prepare):
    """A file whose creation properties `prepare` has set."""
    creation = h5py.h5p.create(h5py.h5p.FILE_CREATE)
    prepare(creation)
    access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    access.set_libver_bounds(*libver)
    return h5py.File(h5py.h5f.create(str(path).encode(), h5py.h5f.ACC_TRUNC, creation, access))


def share_messages(creation):
    """Dataspaces, datatypes, fill values, filters and attributes go to heaps of the file."""
    lib = library()
    plist = ctypes.c_int64(creation.id)
    kinds = {"dataspace": 1 << 1, "datatype": 1 << 3, "fill": 1 << 5, "filters": 1 << 11, "attribute": 1 << 12}
    others = sum(kinds.values()) - kinds["attribute"]
    assert lib.H5Pset_shared_mesg_nindexes(plist, ctypes.c_uint(2)) >= 0
    for index, mask in enumerate((kinds["attribute"], others)):
        assert lib.H5Pset_shared_mesg_index(plist, ctypes.c_uint(index), ctypes.c_uint(mask), ctypes.c_uint(1)) >= 0
    assert lib.H5Pset_shared_mesg_phase_change(plist, ctypes.c_uint(5), ctypes.c_uint(3)) >= 0


def small_nodes(creation):
    """B-trees with many levels; the size of chunk nodes needs superblock 1."""
    lib = library()
    plist = ctypes.c_int64(creation.id)
    assert lib.H5Pset_sym_k(plist, ctypes.c_uint(2), ctypes.c_uint(2)) >= 0
    assert lib.H5Pset_istore_k(plist, ctypes.c_uint(2)) >= 0


def special(folder):
    bounds = {"earliest": h5py.h5f.LIBVER_EARLIEST, "latest": h5py.h5f.LIBVER_LATEST}
    prepared = {
        "narrow": lambda plist: plist.set_sizes(4, 4),
        "narrow-lengths": lambda plist: plist.set_sizes(8, 4),
        "small-nodes": small_nodes,
        "shared-messages": share_messages,
    }
    for name, prepare in prepared.items():
        for version, low in bounds.items():
            # HDF5 itself does not find the unlimited axis of an extensible array again when lengths have 4 bytes.
            if name.startswith("narrow") and version == "latest":
                continue
            path = folder / f"{name}-{version}.h5"
            with create_with(path, (low, bounds["latest"]), prepare) as file:
                for part in (layouts, groups if name == "small-nodes" else types, filters if name == "shared-messages" else indexes):
                    part(file.create_group(part.__name__))
            describe_file(path)
    with h5py.File(folder / "tracked.h5", "w", libver="latest", track_order=True) as file:
        groups(file)
    describe_file(folder / "tracked.h5")


def main():
    folder = Path(sys.argv[1])
    if sys.argv[2:] == ["matrices"]:
        matrices(folder / "matrices.h5ad")
        return
    alone = {"plugins": plugins, "parallel": parallel}
    for name in sys.argv[2:]:
        for libver in ("earliest", "latest"):
            path = folder / f"{name}-{libver}.h5"
            with h5py.File(path, "w", libver=libver) as file:
                alone[name](file)
            describe_file(path)
    if sys.argv[2:]:
        return
    everything = [layouts, indexes, tiny, early, edges, filters, types, groups, links]
    versions = {
        "earliest": everything,
        "latest": [*everything, paged],
        ("v108", "v108"): [layouts, groups, types],
        ("v110", "v110"): [indexes, edges, groups],
    }
    for libver, parts in versions.items():
        for part in parts:
            name = libver if isinstance(libver, str) else libver[0]
            path = folder / f"{part.__name__}-{name}.h5"
            how = {"userblock_size": 1024} if part in (layouts, types) else {}
            with h5py.File(path, "w", libver=libver, **how) as file:
                part(file)
            describe_file(path)
    special(folder)


main()
