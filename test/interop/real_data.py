"""Real cells through the mesh, checked cell by cell with anndata and an independent nearest-neighbour vote.

  real_data.py split  COUNTS.h5ad OUT_DIR          stratified reference / query split of pbmc3k, labels as Cell Ontology terms
  real_data.py check  OUT_DIR STORE_DIR REPORT_DIR   bins against the source, calls against numpy
"""

import csv
import json
import sys
from pathlib import Path

import anndata
import numpy as np
import onnxruntime
import scipy.sparse as sp

# Labels of the louvain clusters as the field's tutorials name them, and the Cell Ontology terms for them.
TERMS = {
    "CD4 T cells": ("CL:0000624", "CD4-positive, alpha-beta T cell"),
    "CD8 T cells": ("CL:0000625", "CD8-positive, alpha-beta T cell"),
    "B cells": ("CL:0000236", "B cell"),
    "NK cells": ("CL:0000623", "natural killer cell"),
    "CD14+ Monocytes": ("CL:0001054", "CD14-positive monocyte"),
    "FCGR3A+ Monocytes": ("CL:0002396", "CD14-low, CD16-positive monocyte"),
    "Dendritic cells": ("CL:0000451", "dendritic cell"),
    "Megakaryocytes": ("CL:0000556", "megakaryocyte"),
}


def split(counts, out):
    adata = anndata.read_h5ad(counts)
    label = "louvain" if "louvain" in adata.obs else adata.obs.columns[0]
    terms = [TERMS[str(one)] for one in adata.obs[label]]
    full = anndata.AnnData(
        X=sp.csr_matrix(adata.X).astype(np.float32),
        obs=adata.obs[[label]].assign(
            cell_type=[name for _, name in terms], cell_type_ontology_term_id=[term for term, _ in terms]
        ),
        var=adata.var[[]],
    )
    rng = np.random.default_rng(0)
    query = np.zeros(full.n_obs, bool)
    for one in np.unique(full.obs["cell_type"]):
        members = np.flatnonzero(full.obs["cell_type"] == one)
        query[rng.permutation(members)[: max(1, len(members) // 5)]] = True
    out.mkdir(parents=True, exist_ok=True)
    full[~query].copy().write_h5ad(out / "reference.h5ad", compression="gzip")
    full[query].copy().write_h5ad(out / "query.h5ad", compression="gzip")
    print(json.dumps({"reference": int((~query).sum()), "query": int(query.sum())}))


def embed(model, matrix, totals):
    session = onnxruntime.InferenceSession(str(model))
    parts = [
        session.run(None, {"counts": matrix[i : i + 256].toarray(), "total_counts": totals[i : i + 256]})[0]
        for i in range(0, matrix.shape[0], 256)
    ]
    vectors = np.concatenate(parts).astype(np.float64)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def check(out, store, report_dir):
    reference = anndata.read_h5ad(out / "reference.h5ad")
    query = anndata.read_h5ad(out / "query.h5ad")
    report = json.loads((report_dir / "report.json").read_text())
    names = report["names"]
    folder = store / "curricula" / names["curriculum"]
    features = json.loads((folder / "features.json").read_text())
    position = {name: i for i, name in enumerate(reference.var_names)}
    columns = [position[name] for name in features]
    seen, bins = set(), []
    manifest = json.loads((folder / "bins" / "manifest.json").read_text())
    for entry in manifest["bins"]:
        one = anndata.read_h5ad(folder / "bins" / entry["file"])
        rows = [reference.obs_names.get_loc(name) for name in one.obs["original_cell_id"].astype(str)]
        expected = sp.csr_matrix(reference.X)[rows][:, columns]
        assert (one.X != expected).nnz == 0, f"{entry['file']}: counts differ"
        assert list(one.var_names) == features
        assert list(one.obs["cell_type"].astype(str)) == list(reference.obs["cell_type"].iloc[rows].astype(str))
        totals = np.asarray(sp.csr_matrix(reference.X)[rows].sum(axis=1)).ravel()
        np.testing.assert_allclose(one.obs["total_mrna_umis"], totals)
        seen.update(one.obs_names)
        bins.append(one)
    assert len(seen) == reference.n_obs, "cells lost or doubled"
    everything = anndata.concat(bins)
    # The same vote, computed without the mesh: ONNX model, exact cosine, majority with ties to the nearest label.
    model = store / "models" / names["model"] / "model.onnx"
    base = embed(model, sp.csr_matrix(everything.X), everything.obs["total_mrna_umis"].to_numpy(np.float32))
    x = sp.csr_matrix(query.X)
    asked = embed(model, x[:, [query.var_names.get_loc(n) for n in features]], np.asarray(x.sum(axis=1)).ravel().astype(np.float32))
    k = 30
    distances = 1 - asked @ base.T
    order = np.argsort(distances, axis=1, kind="stable")[:, :k]
    labels = everything.obs["cell_type"].astype(str).to_numpy()
    calls = {row["cell_id"]: row for row in csv.DictReader((report_dir / "calls-query-summary-statistics.csv").open())}
    agreeing = 0
    for i, name in enumerate(query.obs_names):
        groups = {}
        for at in order[i]:
            groups[labels[at]] = groups.get(labels[at], 0) + 1
        best = max(groups.values())
        expected = next(label for label in groups if groups[label] == best)
        agreeing += calls[name]["cell_type"] == expected
    correct = sum(calls[name]["cell_type"] == label for name, label in zip(query.obs_names, query.obs["cell_type"].astype(str)))
    print(
        json.dumps(
            {
                "cells": int(query.n_obs),
                "bins": len(bins),
                "agreeing": int(agreeing),
                "accuracy": correct / query.n_obs,
                "components": int(base.shape[1]),
            }
        )
    )


if __name__ == "__main__":
    verb, *paths = sys.argv[1:]
    {"split": split, "check": check}[verb](*map(Path, paths))
