"""What tifffile and others say of image files, for microscopy.test.ts. Prints JSON.

    microscopy.py read FILE...     planes of every series and level: shape, type, SHA-256 of the values
"""

import hashlib
import json
import sys
import warnings
from xml.etree import ElementTree

import numpy
import tifffile

warnings.filterwarnings("ignore")


def plain(array):
    """The array as the reader gives it: booleans as bytes, half floats as float32, little-endian."""
    if array.dtype == bool:
        array = array.astype(numpy.uint8)
    if array.dtype == numpy.float16:
        array = array.astype(numpy.float32)
    return numpy.ascontiguousarray(array.astype(array.dtype.newbyteorder("<")))


def planes_of(array, axes):
    """SHA-256 of every plane, samples last."""
    if "S" in axes:
        array = numpy.moveaxis(array, axes.index("S"), -1)
        tail = 3
    else:
        tail = 2
    array = plain(array)
    planes = array.reshape(-1, *array.shape[-tail:])
    return [hashlib.sha256(plane.tobytes()).hexdigest() for plane in planes], list(array.shape[-tail:])


def read(path):
    if not path.endswith((".tif", ".tiff", ".svs")):
        import imageio.v3

        array = imageio.v3.imread(path)
        planes, shape = planes_of(array, "YXS" if array.ndim == 3 else "YX")
        return {"series": [{"axes": "YX", "dtype": str(plain(array).dtype), "levels": [{"shape": shape, "planes": planes}]}]}
    with tifffile.TiffFile(path) as tiff:
        series = []
        for one in tiff.series:
            levels = []
            for level in one.levels:
                array = level.asarray()
                planes, shape = planes_of(array.reshape(level.shape), level.axes)
                levels.append({"shape": shape, "planes": planes})
            series.append({"axes": one.axes, "dtype": str(plain(array).dtype), "levels": levels})
        return {"series": series, "kind": "ome" if tiff.is_ome else "imagej" if tiff.is_imagej else "tiff", **ome(tiff)}


def ome(tiff):
    if not tiff.is_ome or not tiff.ome_metadata or "BinaryOnly" in tiff.ome_metadata:
        return {}
    root = ElementTree.fromstring(tiff.ome_metadata)
    pixels = [p for p in root.iter() if p.tag.endswith("}Pixels")]
    return {
        "ome": [
            {
                "channels": [c.attrib.get("Name") for c in p if c.tag.endswith("}Channel")],
                "size": [p.attrib.get(f"PhysicalSize{a}") for a in "XYZ"],
                "units": [p.attrib.get(f"PhysicalSize{a}Unit") for a in "XYZ"],
            }
            for p in pixels
        ]
    }


def main():
    command, *arguments = sys.argv[1:]
    answers = {}
    for path in arguments:
        try:
            answers[path] = globals()[command](path)
        except Exception as error:  # noqa: BLE001
            answers[path] = {"error": f"{type(error).__name__}: {error}"[:200]}
    json.dump(answers, sys.stdout)


main()
