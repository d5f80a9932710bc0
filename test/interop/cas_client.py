"""Run the unmodified `cellarium-cas` client against a mesh and print what came out as one JSON object.

    python cas_client.py <api url> <h5ad> [--token T] [--chunk-size N] [--model NAME]

Every part has its own entry, either {"ok": true, …} or {"ok": false, "error": …}, so that one failure does not hide the others.
"""

import argparse
import contextlib
import importlib.metadata
import io
import json
import sys
import traceback


def attempt(parts, name, run):
    try:
        parts[name] = {"ok": True, **run()}
    except Exception as error:  # noqa: BLE001 - whatever the client raises is a finding
        parts[name] = {
            "ok": False,
            "error": f"{type(error).__name__}: {error}",
            "where": traceback.format_exc(limit=-3),
        }


def describe_matches(results, key="matches"):
    """Ids, counts, and the first cell in full."""
    cells = results.data
    return {
        "cells": [cell.query_cell_id for cell in cells],
        "with_answers": sum(1 for cell in cells if getattr(cell, key)),
        "first": json.loads(cells[0].model_dump_json()) if cells else None,
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("h5ad")
    parser.add_argument("--token", default="any")
    parser.add_argument("--chunk-size", type=int, default=1000)
    parser.add_argument("--model")
    parser.add_argument("--attempts", type=int, default=2)
    o = parser.parse_args()
    try:
        import anndata
        from cellarium.cas import CASClient
    except ImportError as error:
        print(json.dumps({"missing": str(error)}))
        return

    parts = {}
    said = io.StringIO()
    made = {}

    def construct():
        client = CASClient(api_token=o.token, api_url=o.url, num_attempts_per_chunk=o.attempts)
        made["client"] = client
        return {
            "models": client.allowed_models_list,
            "default_model": client.default_model_name,
            "schemas": client.feature_schemas,
            "user": client.user_info,
            "quota": client.cas_api_service.get_user_quota(),
        }

    with contextlib.redirect_stdout(said):
        attempt(parts, "construct", construct)
        client = made.get("client")
        if client is not None:
            common = {"chunk_size": o.chunk_size, "cas_model_name": o.model}
            adata = anndata.read_h5ad(o.h5ad)

            def summary():
                return describe_matches(
                    client.annotate_matrix_cell_type_summary_statistics_strategy(matrix=adata, **common)
                )

            def ontology():
                results = client.annotate_matrix_cell_type_ontology_aware_strategy(matrix=adata, **common)
                made["ontology"] = results
                return describe_matches(results)

            def post_process():
                target = adata.copy()
                client.insert_ontology_aware_response(made["ontology"], target)
                client.compute_most_granular_top_k_calls_single(target, min_acceptable_score=0.2, top_k=2)
                labels = [name for name in target.obs.columns if name.startswith("cas_cell_type_label")]
                return {
                    "scores_shape": list(target.obsm["cas_cl_scores"].shape),
                    "labels": {name: [str(value) for value in target.obs[name]] for name in labels},
                }

            def search():
                results = client.search_matrix(
                    matrix=adata, chunk_size=min(o.chunk_size, 500), cas_model_name=o.model
                )
                made["search"] = results
                return describe_matches(results, "neighbors")

            def query_cells():
                ids = sorted({int(n.cas_cell_index) for cell in made["search"].data[:5] for n in cell.neighbors})[:50]
                cells = client.query_cells_by_ids(cell_ids=ids).data
                return {
                    "asked": ids,
                    "answered": [cell.cas_cell_index for cell in cells],
                    "first": json.loads(cells[0].model_dump_json()) if cells else None,
                }

            attempt(parts, "summary_statistics", summary)
            attempt(parts, "ontology_aware", ontology)
            attempt(parts, "post_process", post_process)
            attempt(parts, "search", search)
            attempt(parts, "query_cells", query_cells)

    print(
        json.dumps(
            {
                "version": importlib.metadata.version("cellarium-cas"),
                "parts": parts,
                "said": said.getvalue().splitlines(),
            }
        )
    )


if __name__ == "__main__":
    sys.exit(main())
