"""The oracle of worker.test.ts: scanpy on the file that the analysis tasks answered about.

worker.py FILE ANSWERS   prints how far the answers are from scanpy's as JSON
"""

import json
import sys

import anndata
import numpy as np
import scanpy
from scipy import sparse
from sklearn.decomposition import PCA


def column(values: list) -> np.ndarray:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def main(path: str, answers_path: str) -> dict:
    with open(answers_path) as file:
        answers = json.load(file)
    counts = sparse.csr_matrix(anndata.read_h5ad(path).X, dtype=np.float64)
    names = [row["gene_names"] for row in answers["genes"]["rows"]]
    adata = anndata.AnnData(counts)
    adata.var_names = names
    scanpy.pp.normalize_total(adata, target_sum=1e4)
    scanpy.pp.log1p(adata)
    scanpy.pp.highly_variable_genes(adata, flavor="seurat", n_top_genes=answers["nTopGenes"])

    ours = column([row["dispersions"] for row in answers["genes"]["rows"]])
    theirs = adata.var["dispersions"].to_numpy(dtype=np.float64)
    known = np.isfinite(ours)
    # A constant gene has no dispersion here; scanpy gives it NaN or one that rounding made.
    assert known.sum() > 0
    flags = np.array([row["highly_variable"] for row in answers["genes"]["rows"]])

    values = adata.X.toarray()
    errors = {"mean": 0.0, "stdev": 0.0, "expression": 0.0}
    for name, gene in answers["expression"]["genes"].items():
        expected = values[:, names.index(name)]
        errors["mean"] = max(errors["mean"], abs(gene["mean"] - expected.mean()))
        errors["stdev"] = max(errors["stdev"], abs(gene["stdev"] - expected.std()))
        errors["expression"] = max(errors["expression"], np.abs(column(gene["expression"]) - expected).max())

    embedding = answers["embedding"]
    scores = np.array(embedding["embedding"], dtype=np.float64)
    chosen = values[:, [names.index(name) for name in embedding["genes"]]]
    pca = PCA(n_components=scores.shape[1], svd_solver="full").fit(chosen)
    expected = pca.transform(chosen)
    signs = np.sign((scores * expected).sum(axis=0))
    ratio = np.abs(np.array(embedding["explainedVarianceRatio"]) - pca.explained_variance_ratio_)
    return {
        "dispersions": np.abs(ours[known] - theirs[known]).max(),
        "highlyVariable": bool((flags == adata.var["highly_variable"].to_numpy()).all()),
        **errors,
        "pca": np.abs(scores - expected * signs).max() / np.abs(expected).max(),
        "varianceRatio": ratio.max(),
    }


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:]), default=float))
