"""Trains a StarDist network with TensorFlow on StarDist's own image of nuclei, for a minute or so, and says what it makes of real images.

    stardist_trained.py FOLDER IMAGE...    -> FOLDER/nuclei (weights_best.h5, config.json, thresholds.json), FOLDER/nuclei/TF_SavedModel.zip;
                                              per image N: N.u16, N.labels.i32, N.x.f32 (normalised), N.prob.f32, N.dist.f32 (rays first)

Prints one line of JSON: [[height, width, nuclei], ...], StarDist's image first.
"""

import json
import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_USE_LEGACY_KERAS"] = "1"
import numpy as np
import tensorflow as tf
import tifffile
from csbdeep.utils import normalize
from stardist.data import test_image_nuclei_2d
from stardist.models import Config2D, StarDist2D

folder = Path(sys.argv[1])
tf.random.set_seed(3)
np.random.seed(3)
raw, mask = test_image_nuclei_2d(return_mask=True)
image = normalize(raw, 1, 99.8).astype(np.float32)
mask = mask.astype(np.uint16)


def augment(x, y):
    turns = np.random.randint(4)
    x, y = np.rot90(x, turns), np.rot90(y, turns)
    if np.random.rand() < 0.5:
        x, y = x[::-1], y[::-1]
    return x * np.random.uniform(0.7, 1.3) + np.random.uniform(-0.1, 0.1), y


config = Config2D(
    grid=(2, 2),
    n_rays=32,
    unet_n_filter_base=16,
    train_patch_size=(128, 128),
    train_batch_size=2,
    train_epochs=12,
    train_steps_per_epoch=25,
    train_learning_rate=1e-3,
    train_tensorboard=False,
)
# The answer is the only thing that may be printed.
answer, sys.stdout = sys.stdout, sys.stderr
model = StarDist2D(config, name="nuclei", basedir=str(folder))
half = image.shape[1] * 3 // 4
model.train(
    [image[:, :half], image[:half]],
    [mask[:, :half], mask[:half]],
    validation_data=([image[256:, 256:]], [mask[256:, 256:]]),
    augmenter=augment,
)
model.optimize_thresholds([image[:256, :256]], [mask[:256, :256]])
sizes = []
for i, pixels in enumerate([raw, *map(tifffile.imread, sys.argv[2:])]):
    x = normalize(pixels, 1, 99.8).astype(np.float32)
    prob, dist = model.predict(x)
    labels, _ = model.predict_instances(x)
    for name, array, dtype in (
        ("u16", pixels, "<u2"),
        ("labels.i32", labels, "<i4"),
        ("x.f32", x, "<f4"),
        ("prob.f32", prob, "<f4"),
        ("dist.f32", dist.transpose(2, 0, 1), "<f4"),
    ):
        np.ascontiguousarray(array).astype(dtype).tofile(folder / f"{i}.{name}")
    sizes.append([*pixels.shape, int(labels.max())])
# Last: it leaves a session in which nothing can be predicted.
model.export_TF()
print(json.dumps(sizes), file=answer)
