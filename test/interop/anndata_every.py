"""Writes an .h5ad file with every encoding that the installed anndata knows, to be copied and compared."""

import sys
import warnings

warnings.filterwarnings("ignore")

import anndata
import awkward
import numpy as np
import pandas as pd
from scipy import sparse

anndata.settings.allow_write_nullable_strings = True
rng = np.random.default_rng(5)
n, m = 23, 11
x = sparse.random(n, m, density=0.3, random_state=1, format="csr", dtype=np.float32)

obs = pd.DataFrame(
    {
        "text": [f"é{i}" for i in range(n)],
        "maybe_text": pd.array([None if i % 5 == 0 else f"t{i}" for i in range(n)], dtype="string"),
        "cat": pd.Categorical.from_codes(rng.integers(-1, 3, n), ["a", "b", "c"], ordered=True),
        "cat_int": pd.Categorical.from_codes(rng.integers(0, 2, n), [10, 20]),
        "cat_float": pd.Categorical.from_codes(rng.integers(-1, 2, n), [0.5, 1.0]),
        "cat_bool": pd.Categorical.from_codes(rng.integers(0, 2, n), [False, True]),
        "unused": pd.Categorical.from_codes([0] * n, ["x", "y"]),
        "bool": rng.random(n) > 0.5,
        "maybe_bool": pd.array([None if i % 3 == 0 else i % 2 == 0 for i in range(n)], dtype="boolean"),
        "maybe_int": pd.array([None if i % 3 == 0 else i for i in range(n)], dtype="Int64"),
        "maybe_uint8": pd.array([None if i % 4 == 0 else i for i in range(n)], dtype="UInt8"),
        "big": np.arange(n, dtype="int64") + 2**60,
        "ubig": np.arange(n, dtype="uint64") + 2**63,
        "f16": np.array([np.nan, np.inf, -0.0, 6e-8, 65504] + [0.1] * (n - 5), dtype="float16"),
        "f32": np.where(np.arange(n) % 4 == 0, np.nan, np.arange(n)).astype("float32"),
        "i8": np.arange(n, dtype="int8") - 5,
        "u16": np.arange(n, dtype="uint16"),
    },
    index=pd.Index([f"cell{i}" for i in range(n)], name="barcode"),
)
records = np.array([("a", 1, 0.5), ("bé", 2, np.nan)], dtype=[("name", "O"), ("n", "<i4"), ("score", "<f8")])
deep = {"value": 1}
for i in range(20):
    deep = {f"level{i}": deep}

adata = anndata.AnnData(
    X=x,
    obs=obs,
    var=pd.DataFrame(index=[f"gene{i}" for i in range(m)]),
    layers={
        "csc": x.tocsc(),
        "dense_i64": rng.integers(0, 9, (n, m)),
        "dense_bool": rng.random((n, m)) > 0.5,
        "csr_i8": sparse.csr_matrix(rng.integers(0, 2, (n, m)).astype("int8")),
        "csr_bool": sparse.csr_matrix(rng.random((n, m)) > 0.7),
    },
    obsm={
        "X_pca": rng.random((n, 3)),
        "images": rng.random((n, 2, 3, 4)).astype("float16"),
        "frame": pd.DataFrame({"a": np.arange(n), "b": pd.Categorical(["u"] * n)}, index=obs.index),
        "sparse": x.copy(),
        "one": np.arange(n),
    },
    varm={"PCs": rng.random((m, 2)).astype("float32")},
    obsp={"distances": sparse.random(n, n, density=0.2, format="csr", random_state=2), "full": rng.random((n, n))},
    varp={"corr": sparse.random(m, m, density=0.2, format="csc", random_state=3)},
    uns={
        "none": None,
        "string": "text with ü",
        "empty_string": "",
        "int": 3,
        "float": float("nan"),
        "bool": True,
        "np_f32": np.float32(0.25),
        "complex": np.complex128(1 + 2j),
        "complex_array": np.array([1j, 2 + 3j], dtype="complex64"),
        "strings": np.array(["a", "b", ""]),
        "string_matrix": np.array([["a", "b"], ["c", "d"]]),
        "no_strings": np.array([], dtype="O"),
        "no_numbers": np.zeros(0, dtype="int16"),
        "no_columns": np.zeros((3, 0)),
        "records": records,
        "plain_records": np.array([(1, 2.5)], dtype=[("a", "<u2"), ("b", "<f4")]),
        "frame": pd.DataFrame({"a": [1, 2]}, index=pd.Index(["r", "s"])),
        "no_frame": pd.DataFrame(index=pd.Index([], dtype=str)),
        "int_index": pd.DataFrame({"a": [1.5, 2.5]}, index=pd.Index([5, 7])),
        "empty": {},
        "deep": deep,
        "sparse": x.tocsc(),
    },
)
adata.raw = anndata.AnnData(X=sparse.csr_matrix((n, m + 2), dtype="float32"), obs=obs[[]])
adata.raw.var["symbol"] = "s"
adata.obsm["ragged"] = awkward.Array([[float(k) for k in range(i % 4)] for i in range(n)])
# Unsorted and duplicate indices, 64 bits wide.
messy = sparse.csr_matrix(
    (np.array([1.0, 2.0, 3.0]), np.array([3, 0, 3], dtype="int64"), np.array([0, 3] + [3] * (n - 1), dtype="int64")),
    shape=(n, m),
)
adata.layers["messy"] = messy
adata.write_h5ad(sys.argv[1], compression="gzip")
