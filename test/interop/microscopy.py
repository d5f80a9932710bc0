"""What tifffile and others say of image files, for microscopy.test.ts. Prints JSON.

    microscopy.py read FILE...      planes of every series and level: shape, type, SHA-256 of the values
    microscopy.py zarr FOLDER...    the same of OME-Zarr, with metadata
    microscopy.py make FOLDER       writes OME-Zarr of versions 0.4 and 0.5, and TIFFs of every codec, and prints what is in them
    microscopy.py jpeg2000 FOLDER   writes TIFFs of JPEG 2000, NAME.tif, and their values, NAME.raw; prints their names
    microscopy.py resize FOLDER     what OpenCV and the written rule make of the images in the folder
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


def zarr(path):
    import zarr

    group = zarr.open_group(path, mode="r")
    attributes = dict(group.attrs)
    said = attributes.get("ome", attributes)
    levels = []
    for dataset in said["multiscales"][0]["datasets"]:
        array = group[dataset["path"]][:]
        planes, shape = planes_of(array, "YX")
        levels.append({"shape": shape, "planes": planes})
    return {"series": [{"axes": "TCZYX", "dtype": str(array.dtype), "levels": levels}], "said": said}


def make(folder):
    import zarr

    random = numpy.random.default_rng(20260901)
    made = {}
    for version in (2, 3):
        path = f"{folder}/v{version}.ome.zarr"
        group = zarr.open_group(path, mode="w", zarr_format=version)
        data = random.integers(0, 65536, (2, 3, 4, 61, 83), dtype=numpy.uint16)
        levels = [data, data[..., ::2, ::2]]
        datasets = []
        for i, level in enumerate(levels):
            extra = {"shards": (1, 1, 2, 64, 96)} if version == 3 and i == 0 else {}
            array = group.create_array(str(i), shape=level.shape, dtype=level.dtype, chunks=(1, 1, 1, 32, 32), **extra)
            array[:] = level
            scale = [1, 1, 0.29, 0.108 * 2**i, 0.108 * 2**i]
            datasets.append({"path": str(i), "coordinateTransformations": [{"type": "scale", "scale": scale}]})
        axes = [{"name": "t", "type": "time"}, {"name": "c", "type": "channel"}]
        axes += [{"name": a, "type": "space", "unit": "micrometer"} for a in "zyx"]
        said = {
            "multiscales": [{"name": "made", "axes": axes, "datasets": datasets}],
            "omero": {"channels": [{"label": name, "color": "00FF00"} for name in ("DNA", "ER", "protein")]},
        }
        group.attrs.update({"ome": {"version": "0.5", **said}} if version == 3 else said)
        made[path] = zarr_answer(levels)
    for name, options in {
        "lzw": {"compression": "lzw", "predictor": True},
        "deflate": {"compression": "adobe_deflate", "predictor": True, "tile": (64, 64)},
        "zstd": {"compression": "zstd", "byteorder": ">"},
        "packbits": {"compression": "packbits", "rowsperstrip": 3},
        "big": {"bigtiff": True, "tile": (16, 32)},
    }.items():
        for kind in ("u1", "u2", "i4", "f4", "f8"):
            if kind.startswith("f") and name == "packbits":
                continue
            path = f"{folder}/{name}-{kind}.tif"
            values = random.integers(0, 200, (3, 97, 131)).cumsum(axis=2) % 32749
            tifffile.imwrite(path, values.astype(kind), **options)
    return made


def jpeg2000(folder):
    """tifffile's own, by type, samples, arrangement and loss; and segments that imagecodecs and Pillow encoded in other ways."""
    import io

    import imagecodecs
    import PIL.Image

    random = numpy.random.default_rng(20261128)
    y, x = numpy.mgrid[0:97, 0:131]
    made = []

    def field(dtype, samples):
        waves = [1000 * numpy.sin(x / 20 + k) + 800 * numpy.cos(y / 15) + random.normal(0, 30, x.shape) for k in range(samples)]
        values = numpy.stack(waves, -1)
        low, high = numpy.iinfo(dtype).min, numpy.iinfo(dtype).max
        values = (values - values.min()) / (values.max() - values.min()) * (high - low) + low
        return values.astype(dtype)[..., 0] if samples == 1 else values.astype(dtype)

    def write(name, values, **options):
        path = f"{folder}/{name}.tif"
        tifffile.imwrite(path, values, **options)
        made.append(name)
        return path

    def expect(name, values):
        values.astype(values.dtype.newbyteorder("<")).tofile(f"{folder}/{name}.raw")

    for dtype in ("u1", "u2", "i1", "i2"):
        for samples in (1, 2, 3, 4):
            for i, code in enumerate((34712, 33003, 33004, 33005)):
                for loss in ("lossless", "lossy"):
                    name = f"{loss}-{dtype}-{samples}-{code}"
                    arranged = {"tile": (48, 64)} if i % 2 == 0 else {"rowsperstrip": 37}
                    arguments = {"level": 60, "reversible": False} if loss == "lossy" else {"resolutions": 1 + i}
                    planar = ("separate" if i == 3 else "contig") if samples > 1 else None
                    colour = "rgb" if samples >= 3 else "minisblack"
                    path = write(
                        name,
                        numpy.moveaxis(field(dtype, samples), -1, 0) if planar == "separate" else field(dtype, samples),
                        compression=code,
                        compressionargs=arguments,
                        planarconfig=planar,
                        photometric=colour,
                        **arranged,
                    )
                    found = tifffile.imread(path)
                    expect(name, numpy.moveaxis(found, 0, -1) if planar == "separate" else found)

    def one_segment(name, stored, values, code=34712, **options):
        colour = "rgb" if values.ndim == 3 else "minisblack"
        tifffile.imwrite(
            f"{folder}/{name}.tif",
            iter([stored]),
            shape=values.shape,
            dtype=values.dtype,
            compression=code,
            rowsperstrip=values.shape[0],
            photometric=colour,
            **options,
        )
        made.append(name)
        expect(name, values)

    rgb, grey = field("u1", 3), field("u2", 1)
    for name, values in (("boxes-rgb", rgb), ("boxes-grey", grey), ("boxes-signed", field("i1", 1))):
        one_segment(name, imagecodecs.jpeg2k_encode(values, codecformat="JP2"), values)
    # Components that are YCbCr: by the boxes, and by Aperio's code alone.
    boxed = imagecodecs.jpeg2k_encode(rgb, codecformat="JP2", colorspace="SYCC", mct=False)
    converted = imagecodecs.jpeg2k_decode(boxed)
    assert not numpy.array_equal(converted, rgb)
    one_segment("boxes-ycc", boxed, converted)
    one_segment("aperio-ycc", imagecodecs.jpeg2k_encode(rgb, codecformat="J2K", mct=False), converted, 33003)
    one_segment("aperio-rgb", imagecodecs.jpeg2k_encode(rgb, codecformat="J2K", mct=False), rgb, 33005)
    deep = field("u2", 1) >> 4
    stored = imagecodecs.jpeg2k_encode(deep, codecformat="J2K", bitspersample=12)
    one_segment("twelve-bits", stored, deep)
    for name, options in {
        "tiles": {"tile_size": (32, 48)},
        "layers": {"quality_mode": "rates", "quality_layers": [20, 5, 0], "progression": "RLCP"},
        "precincts": {"precinct_size": (32, 32), "codeblock_size": (16, 16), "progression": "RPCL", "num_resolutions": 4},
        "components": {"progression": "CPRL", "tile_size": (64, 64), "precinct_size": (64, 64)},
        "positions": {"progression": "PCRL", "irreversible": True},
    }.items():
        for kind, values in (("rgb", rgb), ("grey", field("u1", 1))):
            file = io.BytesIO()
            PIL.Image.fromarray(values).save(file, "JPEG2000", no_jp2=True, **options)
            one_segment(f"{name}-{kind}", file.getvalue(), imagecodecs.jpeg2k_decode(file.getvalue()))
    return made


def zarr_answer(levels):
    answer = []
    for level in levels:
        planes, shape = planes_of(level, "YX")
        answer.append({"shape": shape, "planes": planes})
    return {"series": [{"axes": "TCZYX", "dtype": str(levels[0].dtype), "levels": answer}]}


def resize(folder):
    """Writes IMAGE-FACTOR-{opencv,ipp,rule,nearest}.raw for each IMAGE.npy."""
    import glob

    import cv2

    for path in glob.glob(f"{folder}/*.npy"):
        image = numpy.load(path)
        for factor in (0.206349 / 0.0800885, 0.10833 / 0.0800885, 0.5, 0.37):
            stem = f"{path[:-4]}-{factor!r}"
            cv2.ipp.setUseIPP(False)
            cv2.resize(image, None, fx=factor, fy=factor).tofile(f"{stem}-opencv.raw")
            cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_NEAREST).tofile(f"{stem}-nearest.raw")
            cv2.ipp.setUseIPP(True)
            cv2.resize(image, None, fx=factor, fy=factor).tofile(f"{stem}-ipp.raw")
            if image.dtype == numpy.uint16 and image.ndim == 2:
                rule(image, factor).tofile(f"{stem}-rule.raw")


def rule(image, factor):
    """Bilinear resizing: step 1/f, float32, half to even. At the upper and lower edge a row is mixed with itself, as in OpenCV."""
    one = numpy.float32(1)

    def axis(length, rows):
        out = numpy.rint(length * factor).astype(int)
        at = ((numpy.arange(out) + 0.5) * (1 / factor) - 0.5).astype(numpy.float32)
        index = numpy.floor(at).astype(int)
        weight = at - index.astype(numpy.float32)
        if not rows:
            weight[(index < 0) | (index >= length - 1)] = 0
            index = index.clip(0, length - 1)
        return index.clip(0, length - 1), (index + 1).clip(0, length - 1), weight

    y0, y1, wy = axis(image.shape[0], True)
    x0, x1, wx = axis(image.shape[1], False)
    pixels = image.astype(numpy.float32)
    rows = pixels[:, x0] * (one - wx) + pixels[:, x1] * wx
    mixed = rows[y0] * (one - wy)[:, None] + rows[y1] * wy[:, None]
    return numpy.rint(mixed).clip(0, 65535).astype(numpy.uint16)


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
