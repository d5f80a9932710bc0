"""Writes the synthetic study of the data-plane benches with Python's anndata, three times: gzip, lzf, raw.

    python generate.py FOLDER CELLS GENES NNZ_PER_CELL SEED

Counts look like those of a droplet experiment: expression of genes and depth of cells are log-normal, whether a gene is seen in a cell is
Poisson, how often is geometric with a mean that follows the gene's expression; about 69 % of the stored values are 1. Ten obs columns.
"""

import json
import os
import sys

import anndata
import numpy as np
import pandas as pd
import scipy.sparse as sp

BLOCK = 500


def expression(rng, genes, nnz):
    """Rates per gene, scaled so that a cell of depth 1 shows `nnz` genes."""
    rate = rng.lognormal(0, 2.2, genes).astype(np.float32)
    low, high = 1e-6, 1e6
    for _ in range(80):
        scale = np.sqrt(low * high)
        seen = -np.expm1(-scale * rate).sum()
        low, high = (scale, high) if seen < nnz else (low, scale)
    return rate * np.float32(scale)


def counts(rng, cells, genes, nnz):
    rate = expression(rng, genes, nnz)
    depth = rng.lognormal(-0.03, 0.25, cells).astype(np.float32)
    extra = np.minimum(rate * np.float32(0.95), np.float32(40))
    indptr, indices, data = [np.zeros(1, np.int64)], [], []
    for start in range(0, cells, BLOCK):
        block = depth[start : start + BLOCK]
        seen = rng.random((len(block), genes), np.float32) < -np.expm1(-block[:, None] * rate[None, :])
        row, column = np.nonzero(seen)
        mean = extra[column] * block[row]
        # Geometric with mean `mean`, by inversion; one count is there in any case.
        value = 1 + np.floor(np.log1p(-rng.random(len(column), np.float32)) / -np.log1p(1 / np.maximum(mean, 1e-6)))
        indptr.append(indptr[-1][-1] + np.cumsum(seen.sum(axis=1)))
        indices.append(column.astype(np.int32))
        data.append(value.astype(np.float32))
    matrix = sp.csr_matrix((np.concatenate(data), np.concatenate(indices), np.concatenate(indptr)), shape=(cells, genes))
    matrix.has_sorted_indices = True
    return matrix


def observations(rng, cells, x):
    def category(prefix, count):
        return pd.Categorical.from_codes(rng.integers(0, count, cells), [f"{prefix} {i}" for i in range(count)])

    total = np.asarray(x.sum(axis=1)).ravel()
    return pd.DataFrame(
        {
            "cell_type": category("cell type", 40),
            "donor_id": category("donor", 12),
            "assay": category("assay", 3),
            "tissue": category("tissue", 8),
            "disease": category("disease", 5),
            "total_mrna_umis": total.astype(np.int64),
            "n_genes": np.diff(x.indptr).astype(np.int32),
            "mitochondrial_fraction": rng.beta(2, 20, cells).astype(np.float32),
            "doublet_score": rng.random(cells),
            "is_primary_data": rng.random(cells) < 0.5,
        },
        index=[f"cell-{i:07d}" for i in range(cells)],
    )


def main(folder, cells, genes, nnz, seed):
    os.makedirs(folder, exist_ok=True)
    names = {"gzip": "gzip", "lzf": "lzf", "raw": None}
    paths = {name: os.path.join(folder, f"{name}.h5ad") for name in names}
    if not all(os.path.exists(path) for path in paths.values()):
        rng = np.random.default_rng(seed)
        x = counts(rng, cells, genes, nnz)
        var = pd.DataFrame({"feature_name": [f"GENE{i}" for i in range(genes)]}, index=[f"ENSG{i:011d}" for i in range(genes)])
        study = anndata.AnnData(X=x, obs=observations(rng, cells, x), var=var)
        for name, compression in names.items():
            study.write_h5ad(paths[name] + ".tmp", compression=compression)
            os.replace(paths[name] + ".tmp", paths[name])
        print(f"{cells} x {genes}, {x.nnz / cells:.0f} values per cell, {np.mean(x.data == 1):.1%} are 1", file=sys.stderr)
    print(json.dumps(paths))


main(sys.argv[1], *(int(value) for value in sys.argv[2:]))
