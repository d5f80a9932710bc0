"""The Python side of segment.ts: single-threaded, cpu seconds, best of `rounds`.

    segment.py stardist FOLDER    what segmentation.py of test/interop reads -> {"nms": s, "render": s}
    segment.py network FOLDER     model.onnx, pixels.f32 (1 × 1 × 1024 × 1024) with onnxruntime for Python -> {"network": s}
    segment.py classical FOLDER   pixels.u16, request.json {width, height, minArea} with scikit-image and SciPy -> seconds per step
"""

import json
import resource
import sys
import time
from pathlib import Path

import numpy as np

rounds = 3
folder = Path(sys.argv[2])


def best(run):
    result = None
    seconds = []
    for _ in range(rounds):
        started = time.process_time()
        result = run()
        seconds.append(time.process_time() - started)
    return result, min(seconds)


def stardist():
    from stardist.geometry import polygons_to_label
    from stardist.nms import _ind_prob_thresh, non_maximum_suppression_sparse

    request = json.loads((folder / "request.json").read_text())
    rows, columns, rays = request["rows"], request["columns"], request["rays"]
    prob = np.fromfile(folder / "prob.f32", np.float32).reshape(rows, columns)
    dist = np.maximum(1e-3, np.fromfile(folder / "dist.f32", np.float32).reshape(rows, columns, rays))
    chosen = _ind_prob_thresh(prob, request["prob"], b=2)
    points = np.stack(np.where(chosen), axis=1) * np.array(request["grid"])
    (kept, scores, outlines, _), nms = best(
        lambda: non_maximum_suppression_sparse(dist[chosen], prob[chosen], points, nms_thresh=request["nms"])
    )
    shape = (request["height"], request["width"])
    _, render = best(lambda: polygons_to_label(outlines, kept, prob=scores, shape=shape))
    return {"nms": nms, "render": render}


def network():
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
    )
    pixels = np.fromfile(folder / "pixels.f32", np.float32).reshape(1, 1, 1024, 1024)
    return {"network": best(lambda: session.run(None, {"image": pixels}))[1]}


def classical():
    from scipy import ndimage
    from skimage import filters, measure, morphology, segmentation

    request = json.loads((folder / "request.json").read_text())
    pixels = np.fromfile(folder / "pixels.u16", np.uint16).reshape(request["height"], request["width"])
    blurred, blur = best(lambda: np.rint(filters.gaussian(pixels, 1, preserve_range=True)).astype(np.uint16))
    threshold, otsu = best(lambda: filters.threshold_otsu(blurred))
    mask, holes = best(lambda: morphology.remove_small_holes(blurred > threshold, max_size=request["minArea"] - 1))
    distance, edt = best(lambda: ndimage.distance_transform_edt(mask))
    _, label = best(lambda: measure.label(mask, connectivity=2))
    markers = measure.label(morphology.h_maxima(distance, 0.75), connectivity=2)
    flooded, watershed = best(
        lambda: segmentation.watershed(-distance, markers, mask=mask, connectivity=2)
    )
    _, properties = best(lambda: [(r.area, r.centroid, r.bbox) for r in measure.regionprops(flooded)])
    return {
        "blur": blur, "otsu": otsu, "holes": holes, "distance": edt, "label": label, "watershed": watershed, "measure": properties,
    }  # fmt: skip


result = {"stardist": stardist, "network": network, "classical": classical}[sys.argv[1]]()
result["rssMb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps(result))
