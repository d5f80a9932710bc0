"""The reference StarDist, without TensorFlow: its compiled non-maximum suppression, its rendering and its blocks.

Says "ready", then answers questions, a line of JSON each, [command, question]:

    instances    a folder with request.json {rows, columns, rays, grid, width, height, prob, nms}, prob.f32, dist.f32 (cells first)
                 -> labels.i32; {candidates, points, probabilities}
    normalize    a folder with pixels.u16 -> percentile.f32 (CSBDeep's normalize, 1 to 99.8)
    cover        [[size, block, overlap, context, grid], ...] -> the blocks of each, or null where there is an error
    responsible  [[what cover takes, [[index, interval], ...]], ...] -> true, false, or "too large"
"""

import json
import sys
from pathlib import Path

import numpy as np
from csbdeep.utils import normalize as csbdeep_normalize
from stardist.big import Block, NotFullyVisible
from stardist.geometry import polygons_to_label
from stardist.nms import _ind_prob_thresh, non_maximum_suppression_sparse


def instances(folder):
    """As StarDist2D.predict_instances after the network."""
    request = json.loads((folder / "request.json").read_text())
    rows, columns, rays = request["rows"], request["columns"], request["rays"]
    prob = np.fromfile(folder / "prob.f32", np.float32).reshape(rows, columns)
    dist = np.fromfile(folder / "dist.f32", np.float32).reshape(rows, columns, rays)
    dist = np.maximum(1e-3, dist)
    chosen = _ind_prob_thresh(prob, request["prob"], b=2)
    points = np.stack(np.where(chosen), axis=1) * np.array(request["grid"]).reshape(1, 2)
    inside = np.all(points < np.array([request["height"], request["width"]]), 1)
    kept, scores, outlines, _ = non_maximum_suppression_sparse(
        dist[chosen][inside], prob[chosen][inside], points[inside], nms_thresh=request["nms"]
    )
    labels = polygons_to_label(outlines, kept, prob=scores, shape=(request["height"], request["width"]))
    labels.astype(np.int32).tofile(folder / "labels.i32")
    return {
        "candidates": int(inside.sum()),
        "points": kept.ravel().tolist(),
        "probabilities": scores.tolist(),
    }


def normalize(folder):
    pixels = np.fromfile(folder / "pixels.u16", np.uint16)
    csbdeep_normalize(pixels, 1, 99.8).astype(np.float32).tofile(folder / "percentile.f32")
    return {}


def chain(size, block, overlap, context, grid):
    try:
        return Block.cover(size, block, overlap, context, grid, verbose=False)
    except AssertionError:
        return None


def cover(requests):
    return [
        None
        if blocks is None
        else [[b.start, b.end, b.slice_write.start, b.slice_write.stop] for b in blocks]
        for blocks in (chain(*request) for request in requests)
    ]


def answer(block, interval):
    try:
        return bool(block.is_responsible(tuple(interval)))
    except NotFullyVisible:
        return "too large"


def responsible(requests):
    chains = [(chain(*request), asked) for request, asked in requests]
    return [[answer(blocks[index], interval) for index, interval in asked] for blocks, asked in chains]


commands = {
    "instances": lambda folder: instances(Path(folder)),
    "normalize": lambda folder: normalize(Path(folder)),
    "cover": cover,
    "responsible": responsible,
}
print("ready", flush=True)
for line in sys.stdin:
    name, question = json.loads(line)
    print(json.dumps(commands[name](question)), flush=True)
