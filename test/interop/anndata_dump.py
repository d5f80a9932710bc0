"""Describes .h5ad files as anndata sees them: one JSON object per line and file.

Arrays are hashed (sha256 of little-endian float64 / int32 / int64), so that the other side can compare exactly.
"""

import hashlib
import json
import sys
import warnings

warnings.filterwarnings("ignore")

import anndata
import numpy as np
import pandas as pd
from scipy import sparse


def digest(*arrays):
    h = hashlib.sha256()
    for array in arrays:
        h.update(np.ascontiguousarray(array).tobytes())
    return h.hexdigest()


def numbers(values):
    values = np.asarray(values, dtype="<f8").copy()
    values[np.isnan(values)] = 0.0  # NaN payloads differ; positions are told by the mask
    return values


def matrix(x):
    if x is None:
        return None
    if sparse.issparse(x):
        x = x.tocsr(copy=True)
        x.sum_duplicates()
        x.sort_indices()
    else:
        x = sparse.csr_matrix(np.asarray(x).reshape(x.shape))
    data = np.asarray(x.data, dtype="<f8")
    return {
        "shape": list(x.shape),
        "nnz": int(x.nnz),
        "sha": digest(x.indptr.astype("<i8"), x.indices.astype("<i4"), numbers(data), np.isnan(data).astype("u1")),
    }


def column(series):
    if isinstance(series.dtype, pd.CategoricalDtype):
        return {
            "kind": "categorical",
            "codes": digest(series.cat.codes.to_numpy().astype("<i4")),
            "categories": [str(c) for c in series.cat.categories],
            "ordered": bool(series.cat.ordered),
        }
    missing = series.isna().to_numpy()
    if pd.api.types.is_bool_dtype(series.dtype):
        values = series.fillna(False).to_numpy().astype("u1")
        return {"kind": "boolean", "values": digest(values), "missing": digest(missing.astype("u1"))}
    if pd.api.types.is_numeric_dtype(series.dtype):
        values = series.astype("float64").to_numpy(dtype="float64", na_value=np.nan)
        return {"kind": "number", "values": digest(numbers(values)), "missing": digest(missing.astype("u1"))}
    values = ["" if m else str(v) for v, m in zip(series, missing)]
    return {"kind": "string", "values": names(values), "missing": digest(missing.astype("u1"))}


def names(values):
    return hashlib.sha256("\0".join(str(v) for v in values).encode()).hexdigest()


def frame(df):
    return {
        "length": len(df),
        "index": names(df.index),
        "columns": {str(c): column(df[c]) for c in df.columns},
    }


def dump(path):
    a = anndata.read_h5ad(path)
    obsm = {}
    for key, value in a.obsm.items():
        if isinstance(value, np.ndarray) and value.dtype.kind in "fiu":
            obsm[key] = {"shape": list(value.shape), "sha": digest(numbers(value))}
    return {
        "obs": frame(a.obs),
        "var": frame(a.var),
        "x": matrix(a.X),
        "raw": None if a.raw is None else {"var": frame(a.raw.var), "x": matrix(a.raw.X)},
        "layers": {key: matrix(value) for key, value in a.layers.items()},
        "obsm": obsm,
        "uns": sorted(a.uns.keys()),
    }


for path in sys.argv[1:]:
    try:
        result = dump(path)
    except Exception as error:  # the other side decides what it makes of it
        result = {"error": f"{type(error).__name__}: {error}"[:300]}
    print(json.dumps(result))
