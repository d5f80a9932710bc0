"""The published OpenCell conversion, written from its rules with the libraries it uses; labels are given, as segmentation is measured elsewhere.

    convert.py DIR OUT LEVEL    convert DIR/opencell with the labels of DIR/labels, PNGs at zlib level LEVEL; prints seconds of CPU per step
"""

import json
import os
import sys
import time

import cv2
import numpy as np
import tifffile
from skimage.measure import regionprops
from skimage.segmentation import clear_border, relabel_sequential

# One core: the published pipeline runs one process per core.
cv2.setNumThreads(1)
FACTOR = 0.206349 / 0.0800885
spent = {"decode": 0.0, "labels": 0.0, "resize": 0.0, "crop": 0.0, "png": 0.0}


def timed(step, work):
    start = time.process_time()
    result = work()
    spent[step] += time.process_time() - start
    return result


def cut(nucleus, protein, center, half):
    crop = np.zeros((2 * half, 2 * half, 3))
    cy, cx = center
    top, left = max(0, cy - half), max(0, cx - half)
    bottom, right = min(nucleus.shape[0], cy + half), min(nucleus.shape[1], cx + half)
    at = np.s_[half - (cy - top) : half + (bottom - cy), half - (cx - left) : half + (right - cx)]
    crop[at][..., 1] = protein[top:bottom, left:right]
    crop[at][..., 0] = nucleus[top:bottom, left:right]
    return np.uint16(crop)


def filtered(labels, min_area):
    labels = labels.copy()
    labels[(np.bincount(labels.ravel()) < min_area)[labels]] = 0
    return relabel_sequential(clear_border(labels))[0]


def main(folder, out, level):
    os.makedirs(out, exist_ok=True)
    options = [] if level == "default" else [cv2.IMWRITE_PNG_COMPRESSION, int(level)]
    count, size, wall, cpu = 0, 0, time.perf_counter(), time.process_time()
    for name in sorted(os.listdir(os.path.join(folder, "opencell"))):
        nucleus, protein = timed("decode", lambda: tifffile.imread(os.path.join(folder, "opencell", name)))
        labels = tifffile.imread(os.path.join(folder, "labels", name.replace("_proj", ""))).astype(np.int32)
        labels = timed("labels", lambda: filtered(labels, 2500))
        for half, resized in ((128, False), (320, True)):
            if resized:
                nucleus, protein = timed("resize", lambda: [cv2.resize(one, None, fx=FACTOR, fy=FACTOR) for one in (nucleus, protein)])
                labels = timed("resize", lambda: cv2.resize(labels, None, fx=FACTOR, fy=FACTOR, interpolation=cv2.INTER_NEAREST))
            regions = timed("labels", lambda: [(one.label, [int(v) for v in one.centroid], int(one.area)) for one in regionprops(labels)])
            for label, center, _ in regions:
                crop = timed("crop", lambda: cut(nucleus, protein, center, half))
                path = os.path.join(out, name.replace("_proj.tif", f"_crop_{label}{'_resized' if resized else ''}.png"))
                timed("png", lambda: cv2.imwrite(path, crop, options))
                count += 1
                size += os.path.getsize(path)
    return {"crops": count, "bytes": size, "wallS": time.perf_counter() - wall, "cpuS": time.process_time() - cpu, "steps": spent}


print(json.dumps(main(*sys.argv[1:])))
