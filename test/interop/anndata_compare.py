"""Compares AnnData files pairwise as Python's anndata reads them: one JSON object per line and pair.

Usage: anndata_compare.py ORIGINAL COPY [ORIGINAL COPY …]. Works with every anndata from 0.8 on, h5ad and zarr.

Equal means: same kinds of objects, same keys in the same order where order counts, same dtypes, same values (NaN equal to NaN), same
categories and whether they are ordered, same index and its name, the same stored entries of sparse matrices in the same order.
Strings are compared as text: versions before 0.7 stored them with a fixed length, and anndata reads those into another dtype of text.
"""

import json
import sys
import warnings

warnings.filterwarnings("ignore")

import anndata
import h5py
import numpy as np
import pandas as pd
from scipy import sparse

try:
    from anndata.io import read_elem
except ImportError:
    from anndata.experimental import read_elem


def is_text(array):
    return array.dtype.kind in "OUST" or isinstance(array.dtype, pd.StringDtype)


def text(value):
    return value.decode() if isinstance(value, bytes) else value


def same_array(a, b, where, out):
    if a.shape != b.shape:
        out.append(f"{where}: shape {a.shape} became {b.shape}")
        return
    if a.dtype.fields is not None and b.dtype.fields is not None:
        if list(a.dtype.fields) != list(b.dtype.fields):
            out.append(f"{where}: fields {list(a.dtype.fields)} became {list(b.dtype.fields)}")
            return
        for name in a.dtype.fields:
            same_array(a[name], b[name], f"{where}.{name}", out)
        return
    if is_text(a) and is_text(b):
        for i, (x, y) in enumerate(zip(a.ravel().tolist(), b.ravel().tolist())):
            if text(x) != text(y) and not (x != x and y != y):
                out.append(f"{where}[{i}]: {x!r} became {y!r}")
                return
        return
    if a.dtype != b.dtype:
        out.append(f"{where}: dtype {a.dtype} became {b.dtype}")
        return
    if not np.array_equal(a, b, equal_nan=a.dtype.kind in "fc"):
        out.append(f"{where}: values differ")


def same_pandas(a, b, where, out):
    if isinstance(a.dtype, pd.CategoricalDtype) and isinstance(b.dtype, pd.CategoricalDtype):
        if a.ordered != b.ordered:
            out.append(f"{where}: ordered {a.ordered} became {b.ordered}")
        same_array(np.asarray(a.codes), np.asarray(b.codes), f"{where} codes", out)
        same_pandas_values(a.categories, b.categories, f"{where} categories", out)
        return
    same_pandas_values(a, b, where, out)


def same_pandas_values(a, b, where, out):
    a, b = pd.Series(a).array, pd.Series(b).array
    if hasattr(a, "_mask") and hasattr(b, "_mask") and str(a.dtype) == str(b.dtype):
        same_array(a._mask, b._mask, f"{where} mask", out)
        if not a.dtype == b.dtype or not a.equals(b):
            out.append(f"{where}: values differ")
        return
    if str(a.dtype) != str(b.dtype):
        out.append(f"{where}: dtype {a.dtype} became {b.dtype}")
        return
    missing = [np.asarray(pd.isna(x)) for x in (a, b)]
    if not np.array_equal(*missing):
        out.append(f"{where}: other values are missing")
        return
    same_array(np.asarray(a)[~missing[0]], np.asarray(b)[~missing[0]], where, out)


def same_frame(a, b, where, out):
    if list(a.columns) != list(b.columns):
        out.append(f"{where}: columns {list(a.columns)[:20]} became {list(b.columns)[:20]}")
        return
    if a.index.name != b.index.name:
        out.append(f"{where}: index name {a.index.name!r} became {b.index.name!r}")
    same_pandas(a.index, b.index, f"{where} index", out)
    for name in a.columns:
        x, y = a[name].array, b[name].array
        (same_pandas if isinstance(x.dtype, pd.CategoricalDtype) else same_pandas_values)(x, y, f"{where}/{name}", out)


def plain(value):
    """Scalars without encoding attributes come as numpy scalars, those with them as Python's."""
    return value.item() if isinstance(value, (np.number, np.bool_)) else value


def same(a, b, where, out):
    a, b = plain(a), plain(b)
    if isinstance(a, anndata.AnnData) and isinstance(b, anndata.AnnData):
        same_anndata(a, b, where, out)
    elif isinstance(a, pd.DataFrame) and isinstance(b, pd.DataFrame):
        same_frame(a, b, where, out)
    elif hasattr(a, "keys") and hasattr(b, "keys"):
        if sorted(a.keys()) != sorted(b.keys()):
            out.append(f"{where}: keys {sorted(a.keys())} became {sorted(b.keys())}")
            return
        for key in a.keys():
            same(a[key], b[key], f"{where}/{key}", out)
    elif type(a).__name__ != type(b).__name__ and not (isinstance(a, np.ndarray) and isinstance(b, np.ndarray)):
        if not (isinstance(a, (str, bytes, np.str_)) and text(a) == text(b)):
            out.append(f"{where}: {type(a).__name__} became {type(b).__name__}")
    elif sparse.issparse(a):
        if a.shape != b.shape or a.dtype != b.dtype or a.indices.dtype != b.indices.dtype:
            out.append(f"{where}: {a.shape} {a.dtype} {a.indices.dtype} became {b.shape} {b.dtype} {b.indices.dtype}")
            return
        for part in ("indptr", "indices", "data"):
            same_array(getattr(a, part), getattr(b, part), f"{where} {part}", out)
    elif isinstance(a, np.ndarray):
        same_array(a, b, where, out)
    elif isinstance(a, (pd.api.extensions.ExtensionArray, pd.Series, pd.Index)):
        same_pandas(a, b, where, out)
    elif type(a).__module__.startswith("awkward"):
        if a.to_list() != b.to_list():
            out.append(f"{where}: values differ")
    elif not (a is b or a == b or (a != a and b != b)):
        out.append(f"{where}: {a!r} became {b!r}")


def same_anndata(a, b, where, out):
    if a.shape != b.shape:
        out.append(f"{where}: shape {a.shape} became {b.shape}")
        return
    if (a.X is None) != (b.X is None):
        out.append(f"{where}/X: present in one only")
    elif a.X is not None:
        same(a.X, b.X, f"{where}/X", out)
    for part in ("obs", "var"):
        same_frame(getattr(a, part), getattr(b, part), f"{where}/{part}", out)
    for part in ("layers", "obsm", "varm", "obsp", "varp", "uns"):
        same(dict(getattr(a, part)), dict(getattr(b, part)), f"{where}/{part}", out)
    if (a.raw is None) != (b.raw is None):
        out.append(f"{where}/raw: present in one only")
    elif a.raw is not None:
        same(a.raw.X, b.raw.X, f"{where}/raw/X", out)
        same_frame(a.raw.var, b.raw.var, f"{where}/raw/var", out)
        same(dict(a.raw.varm), dict(b.raw.varm), f"{where}/raw/varm", out)


def read(path):
    """A path may name a group of an HDF5 file behind a colon: file.h5mu:/mod/rna."""
    if ":/" in path:
        path, group = path.split(":", 1)
        with h5py.File(path) as file:
            found = read_elem(file[group])
            # Old MuData files do not say that a modality is an AnnData.
            return anndata.AnnData(**found) if isinstance(found, dict) else found
    if path.endswith(".zip"):
        import zarr

        return anndata.read_zarr(zarr.storage.ZipStore(path, mode="r"))
    return (anndata.read_zarr if ".zarr" in path else anndata.read_h5ad)(path)


def compare(original, copy):
    try:
        a = read(original)
    except Exception as error:
        return {"unreadable": f"{type(error).__name__}: {error}"[:300]}
    out = []
    try:
        same(a, read(copy), "", out)
    except Exception as error:
        out.append(f"{type(error).__name__}: {error}"[:500])
    return {"differences": out}


for original, copy in zip(sys.argv[1::2], sys.argv[2::2]):
    print(json.dumps(compare(original, copy)))
