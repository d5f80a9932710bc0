"""What scanpy reads of 10x files and Matrix Market triples, and h5py of loom, as digests: one JSON object per argument, in their order.

  tenx.py KIND:PATH…     KIND: h5, genomes (all genomes of a Cell Ranger 2 file side by side), mtx, loom
"""

import gzip
import hashlib
import json
import sys
import tempfile
import warnings
from pathlib import Path

import anndata
import h5py
import numpy as np
import scanpy as sc
import scipy.sparse as sp

warnings.simplefilter("ignore")


def sha(*parts):
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def names(values):
    return sha("\0".join(map(str, values)).encode())


def dump(adata, symbols):
    x = sp.csr_matrix(adata.X).astype(np.float64)
    x.sum_duplicates()
    x.sort_indices()
    return {
        "shape": list(adata.shape),
        "obs": names(adata.obs_names),
        "var": names(adata.var_names),
        "symbols": names(symbols),
        "x": sha(x.indptr.astype(np.int64), x.indices.astype(np.int32), x.data),
    }


def by_id(adata):
    """scanpy indexes HDF5 by symbol; here ids are the index."""
    symbols = adata.var_names.to_list()
    adata.var_names = adata.var["gene_ids"]
    return adata, symbols


def read(kind, path):
    if kind == "h5":
        return dump(*by_id(sc.read_10x_h5(path, gex_only=False)))
    if kind == "genomes":
        with h5py.File(path) as file:
            genomes = sorted(name for name, node in file.items() if "barcodes" in node)
        parts = [by_id(sc.read_10x_h5(path, genome=name)) for name in genomes]
        joined = anndata.concat([part for part, _ in parts], axis=1, join="outer", fill_value=0)
        # In order of first appearance, as several lists of barcodes are joined.
        order = list(dict.fromkeys(name for part, _ in parts for name in part.obs_names))
        return dump(joined[order], [symbol for _, symbols in parts for symbol in symbols])
    if kind == "mtx":
        folder = Path(path)
        matrix = next(folder.glob("*.mtx*")).name
        if "raw_sparse" in matrix:
            adata = anndata.io.read_mtx(folder / matrix).T
            stem = matrix.removesuffix("raw_sparse.mtx")
            genes = [line.split("\t") for line in (folder / f"{stem}genes.tsv").read_text().splitlines()]
            adata.var_names = [gene[0] for gene in genes]
            adata.obs_names = (folder / f"{stem}barcodes.tsv").read_text().splitlines()
            return dump(adata, [gene[1] for gene in genes])
        with tempfile.TemporaryDirectory() as zipped:
            # scanpy takes plain files with genes.tsv only, gzipped ones with features.tsv only.
            if (folder / "features.tsv").exists():
                for file in folder.iterdir():
                    (Path(zipped) / f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes()))
                path = zipped
            adata = sc.read_10x_mtx(path, var_names="gene_ids", make_unique=False, gex_only=False)
        return dump(adata, adata.var["gene_symbols"])
    with h5py.File(path) as file:
        text = lambda name: [value.decode() if isinstance(value, bytes) else str(value) for value in file[name][:]]
        adata = anndata.AnnData(file["matrix"][:].T)
        adata.obs_names, adata.var_names = text("col_attrs/CellID"), text("row_attrs/Gene")
        return dump(adata, text("row_attrs/Gene"))


print(json.dumps([read(*argument.split(":", 1)) for argument in sys.argv[1:]]))
