"""The oracle of kernels.test.ts: scanpy, scikit-learn, onnx and onnxruntime on the same counts.

load FILE DIR   writes the counts of an .h5ad to DIR as raw CSR arrays
compare DIR     reads counts, selection, components and models from DIR; prints what the oracles make of them as JSON
"""

import json
import sys
from pathlib import Path

import numpy as np
from scipy import sparse


def load(source: str, directory: Path) -> dict:
    import anndata

    counts = sparse.csr_matrix(anndata.read_h5ad(source).X)
    counts.sum_duplicates()
    counts.eliminate_zeros()
    counts.indptr.astype("<f8").tofile(directory / "indptr")
    counts.indices.astype("<i4").tofile(directory / "indices")
    counts.data.astype("<f4").tofile(directory / "data")
    return {"nRows": counts.shape[0], "nCols": counts.shape[1]}


def read_counts(directory: Path, shape: tuple[int, int]) -> sparse.csr_matrix:
    indptr = np.fromfile(directory / "indptr", "<f8").astype(np.int64)
    indices = np.fromfile(directory / "indices", "<i4")
    data = np.fromfile(directory / "data", "<f4").astype(np.float64)
    return sparse.csr_matrix((data, indices, indptr), shape=shape)


def highly_variable(normalized: sparse.csr_matrix, n_top: int) -> list[int]:
    import anndata
    import scanpy

    adata = anndata.AnnData(normalized)
    adata.uns["log1p"] = {"base": None}
    scanpy.pp.highly_variable_genes(adata, flavor="seurat", n_top_genes=n_top)
    return np.flatnonzero(adata.var["highly_variable"].to_numpy()).tolist()


def compare_pca(values: np.ndarray, directory: Path, model: dict) -> dict:
    from sklearn.decomposition import PCA

    if model["scale"] == "unit-variance":
        std = values.std(axis=0, ddof=1)
        values = values / np.where(std > 0, std, 1)
    k = model["nComponents"]
    ours = np.fromfile(directory / f"components-{model['scale']}", "<f4").reshape(k, -1).astype(np.float64)
    pca = PCA(n_components=k, svd_solver="full").fit(values)
    ratio = np.abs(np.array(model["explainedVariance"]) / pca.explained_variance_ - 1)
    share = np.abs(np.array(model["explainedVarianceRatio"]) - pca.explained_variance_ratio_)
    projector = np.abs(ours.T @ ours - pca.components_.T @ pca.components_)
    return {"variance": ratio.max(), "varianceRatio": share.max(), "projector": projector.max()}


def compare_onnx(counts: sparse.csr_matrix, values: np.ndarray, directory: Path, model: dict) -> dict | None:
    try:
        import onnx
        import onnxruntime
    except ImportError:
        return None
    path = str(directory / f"model-{model['scale']}.onnx")
    onnx.checker.check_model(onnx.load(path), full_check=True)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    totals = np.asarray(counts.sum(axis=1)).ravel()
    feeds = {"counts": counts.toarray().astype(np.float32), "total_counts": totals.astype(np.float32)}
    theirs = session.run(["embedding"], feeds)[0]
    ours = np.fromfile(directory / f"embedding-{model['scale']}", "<f4").reshape(theirs.shape)
    components = np.fromfile(directory / f"components-{model['scale']}", "<f4").reshape(model["nComponents"], -1)
    std = values.std(axis=0, ddof=1)
    divisor = np.where(std > 0, std, 1) if model["scale"] == "unit-variance" else 1
    exact = (values - values.mean(axis=0)) / divisor @ components.T.astype(np.float64)
    scale = np.abs(exact).max()
    return {
        "metadata": dict(session.get_modelmeta().custom_metadata_map).get("cytomesh.kind"),
        "runtimes": np.abs(ours - theirs).max() / scale,
        "exact": np.abs(ours - exact).max() / scale,
    }


def compare(directory: Path) -> dict:
    request = json.loads((directory / "request.json").read_text())
    counts = read_counts(directory, (request["nRows"], request["nCols"]))
    totals = np.asarray(counts.sum(axis=1)).ravel()
    normalized = sparse.csr_matrix(sparse.diags(1e4 / (totals + 1e-6)) @ counts).log1p()
    values = normalized[:, request["selected"]].toarray()
    return {
        "selected": highly_variable(normalized, request["nTop"]),
        "pca": [compare_pca(values, directory, model) for model in request["models"]],
        "onnx": [compare_onnx(counts, values, directory, model) for model in request["models"]],
    }


if __name__ == "__main__":
    if sys.argv[1] == "load":
        print(json.dumps(load(sys.argv[2], Path(sys.argv[3]))))
    else:
        print(json.dumps(compare(Path(sys.argv[2]))))
