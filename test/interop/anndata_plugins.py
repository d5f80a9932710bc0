"""Writes one AnnData plain and with each compression of hdf5plugin that people use, for anndata-plugins.test.ts.

usage: anndata_plugins.py FOLDER → plain.h5ad and one file per compression
"""

import shutil
import sys
from pathlib import Path

import anndata
import h5py
import hdf5plugin
import numpy as np
import pandas as pd
from scipy import sparse

rng = np.random.default_rng(3)
n, m = 1300, 211
counts = rng.poisson(0.4, (n, m)).astype("float32")
adata = anndata.AnnData(
    X=sparse.csr_matrix(counts),
    obs=pd.DataFrame(
        {
            "depth": counts.sum(1),
            "kind": pd.Categorical(rng.choice(["B", "T", "NK"], n)),
            "barcode": [f"cell-{i}" for i in range(n)],
            "kept": rng.random(n) < 0.5,
        },
        index=[f"c{i}" for i in range(n)],
    ),
    var=pd.DataFrame({"symbol": [f"gene {j}" for j in range(m)]}, index=[f"g{j}" for j in range(m)]),
    obsm={"X_pca": rng.normal(size=(n, 20)).astype("float32")},
    layers={"dense": counts * 2, "columns": sparse.csc_matrix(counts)},
)
folder = Path(sys.argv[1])
adata.write_h5ad(folder / "plain.h5ad")
how = {"zstd": hdf5plugin.Zstd(clevel=5), "lz4": hdf5plugin.LZ4(), "bitshuffle": hdf5plugin.Bitshuffle()}
for name, packing in how.items():
    adata.write_h5ad(folder / f"{name}.h5ad", compression=packing["compression"], compression_opts=packing["compression_opts"])


def pack(path, packing):
    """Numbers packed anew: as a filter of strings of variable length, Blosc divides by zero (hdf5plugin 7.1)."""
    shutil.copy(folder / "plain.h5ad", path)
    with h5py.File(path, "r+") as file:
        numbers = []
        file.visititems(lambda name, node: numbers.append(name) if isinstance(node, h5py.Dataset) and node.ndim and node.dtype.kind in "iuf" else None)
        for name in numbers:
            values, attributes = file[name][()], dict(file[name].attrs)
            del file[name]
            made = file.create_dataset(name, data=values, chunks=True, **packing)
            made.attrs.update(attributes)


pack(folder / "blosc.h5ad", hdf5plugin.Blosc())
pack(folder / "blosc-zstd.h5ad", hdf5plugin.Blosc(cname="zstd", clevel=5, shuffle=hdf5plugin.Blosc.BITSHUFFLE))
