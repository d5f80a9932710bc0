"""The conversions of the imaging service against a reference written from their rules, with OpenCV, scikit-image, tifffile and pandas.

    imaging_conversion.py generate DIR [IMAGES]   fields as OpenCell and AllenCell have them, labels, and 2-channel fields of real nuclei
    imaging_conversion.py channels DIR              one field as an OME-TIFF, and as files of one channel each in PNG (OpenCV), TIFF and MetaMorph's names
    imaging_conversion.py check DIR OUT           convert DIR/opencell and DIR/allencell by the rules, compare with OUT/opencell and OUT/allencell
    imaging_conversion.py format DIR OUT          the 19-column tables of OUT by the rules, compared with what the service made
    imaging_conversion.py h5sc FILE FOLDER        open a .h5sc with scPortrait, compare it with the PNG crops and with what scPortrait writes

Prints one line of JSON.
"""

import json
import os
import sys

import numpy as np

HPA, OPENCELL, ALLENCELL = 0.0800885, 0.206349, 0.10833


def blobs(rng, side, count):
    """Bright, uneven nuclei over a noisy background, with their labels."""
    y, x = np.mgrid[:side, :side]
    labels = np.zeros((side, side), np.int32)
    image = rng.gamma(4, 60, (side, side))
    for label in range(1, count + 1):
        cy, cx, ry, rx = rng.uniform(0, side), rng.uniform(0, side), rng.uniform(20, 42), rng.uniform(20, 42)
        inside = ((y - cy) / ry) ** 2 + ((x - cx) / rx) ** 2 <= 1
        labels[inside & (labels == 0)] = label
        image[inside] += rng.uniform(3000, 20000) * rng.uniform(0.8, 1.2, inside.sum())
    return np.clip(image, 0, 65535).astype(np.uint16), labels


def channels(folder):
    import cv2
    import tifffile

    rng = np.random.default_rng(3)
    nucleus, _ = blobs(rng, 400, 9)
    planes = np.stack([nucleus, *rng.integers(0, 65536, (3, 400, 400)).astype(np.uint16)])
    names = ["blue", "green", "red", "yellow"]
    for name in ("one", "hpa", "metamorph"):
        os.makedirs(os.path.join(folder, name), exist_ok=True)
    tifffile.imwrite(
        os.path.join(folder, "one", "F.ome.tif"),
        planes,
        metadata={"axes": "CYX", "Channel": {"Name": names}},
    )
    for number, (name, plane) in enumerate(zip(names, planes), 1):
        cv2.imwrite(os.path.join(folder, "hpa", f"F_{name}.png"), plane)
        path = os.path.join(folder, "metamorph", f"F_w{number}{name}_s1.TIF")
        tifffile.imwrite(path, plane, compression="lzw", rowsperstrip=7)
    return {"channels": len(names)}


def generate(folder, images=""):
    import tifffile

    rng = np.random.default_rng(7)
    for name in ("opencell", "labels", "allencell"):
        os.makedirs(os.path.join(folder, name), exist_ok=True)

    def opencell(gene, number, nucleus, protein, labels):
        stem = f"OC-FOV_{gene}_ENSG0000012783{number}_CID00105{number}_FID0001388{number}"
        tifffile.imwrite(
            os.path.join(folder, "opencell", f"{stem}_proj.tif"),
            np.stack([nucleus, protein]),
            imagej=True,
            metadata={"axes": "CYX"},
        )
        tifffile.imwrite(os.path.join(folder, "labels", f"{stem}.tif"), labels.astype(np.uint16))

    for number, gene in enumerate(["AAMP", "AATF", "NOGENE"]):
        nucleus, labels = blobs(rng, 600, 14)
        opencell(gene, number, nucleus, rng.integers(0, 65536, (600, 600)).astype(np.uint16), labels)
    opencell("HSP90B1", 3, *[rng.integers(100, 200, (600, 600)).astype(np.uint16) for _ in range(2)], np.zeros((600, 600)))
    if images:
        image = tifffile.imread(os.path.join(images, "stardist_img2d.tif"))
        mask = tifffile.imread(os.path.join(images, "stardist_mask2d.tif"))
        opencell("ABR", 4, image, image[::-1].copy(), mask)
        stack = tifffile.imread(os.path.join(images, "BBBC022_IXMtest_A02_s9_3ch.tif")).astype(np.uint16)
        from skimage import filters, measure

        nuclei = measure.label(filters.gaussian(stack[0], 1) > filters.threshold_otsu(filters.gaussian(stack[0], 1)))
        opencell("ABCE1", 5, stack[0], stack[1], nuclei)
    for number, (height, width) in enumerate([(231, 300), (520, 610), (90, 64)]):
        stack = rng.integers(0, 65536, (7, 3, height, width)).astype(np.uint16)
        tifffile.imwrite(
            os.path.join(folder, "allencell", f"hash{number}_raw.ome.tif"),
            stack,
            ome=True,
            metadata={"axes": "ZCYX", "PhysicalSizeX": ALLENCELL, "PhysicalSizeY": ALLENCELL},
        )
    return {"opencell": len(os.listdir(os.path.join(folder, "opencell")))}


def put(crop, source, half, center):
    """Copy the square around a centre into a crop of zeros, as far as there is an image."""
    cy, cx = center
    top, left = max(0, cy - half), max(0, cx - half)
    bottom, right = min(source.shape[0], cy + half), min(source.shape[1], cx + half)
    crop[half - (cy - top) : half + (bottom - cy), half - (cx - left) : half + (right - cx)] = source[top:bottom, left:right]


def opencell_reference(path, labels_path, min_area):
    import cv2
    import tifffile
    from skimage.measure import regionprops
    from skimage.segmentation import clear_border, relabel_sequential

    nucleus, protein = tifffile.imread(path)
    labels = tifffile.imread(labels_path).astype(np.int32)
    labels = relabel_sequential(labels)[0]
    labels[(np.bincount(labels.ravel()) < min_area)[labels]] = 0
    labels = relabel_sequential(clear_border(labels))[0]
    name = os.path.basename(path)
    files, rows = {}, []
    for region in regionprops(labels):
        center = [int(value) for value in region.centroid]
        crop = np.zeros((256, 256, 3), np.uint16)
        put(crop[..., 0], nucleus, 128, center)
        put(crop[..., 1], protein, 128, center)
        files["intermediate/" + name.replace("_proj.tif", f"_crop_{region.label}.png")] = crop
        height, width = nucleus.shape
        rows.append([name, region.label, width, height, center[1], center[0], int(region.area)])
    f = OPENCELL / HPA
    nucleus, protein = (cv2.resize(one, None, fx=f, fy=f) for one in (nucleus, protein))
    labels = cv2.resize(labels, None, fx=f, fy=f, interpolation=cv2.INTER_NEAREST)
    for region in regionprops(labels):
        center = [int(value) for value in region.centroid]
        crop = np.zeros((640, 640, 3), np.uint16)
        put(crop[..., 0], nucleus, 320, center)
        put(crop[..., 1], protein, 320, center)
        out = name.replace("_proj.tif", f"_crop_{region.label}_resized.png")
        files["resized/" + out] = crop
        height, width = nucleus.shape
        rows[region.label - 1] += [out, width, height, center[1], center[0], int(region.area)]
    return files, rows


def allencell_reference(path):
    import cv2
    import tifffile

    name = os.path.basename(path)
    projection = np.max(tifffile.imread(path), axis=0).transpose(1, 2, 0)
    files = {"intermediate/" + name.replace(".tif", "_proj.png"): projection}
    height, width = projection.shape[:2]
    f = ALLENCELL / HPA
    resized = cv2.resize(projection, None, fx=f, fy=f)
    crop = np.zeros((640, 640, 3), np.uint16)
    my, mx = resized.shape[0] // 2, resized.shape[1] // 2
    hy, hx = min(320, my), min(320, mx)
    crop[320 - hy : 320 + hy, 320 - hx : 320 + hx] = resized[my - hy : my + hy, mx - hx : mx + hx]
    out = name.replace(".tif", "_crop_resized.png")
    files["resized/" + out] = crop
    return files, [[name, width, height, out, resized.shape[1], resized.shape[0]]]


OPENCELL_HEADER = "image,cell_id,orig_img_width,orig_img_height,orig_center_x,orig_center_y,orig_nuc_area,resz_image,resz_img_width,resz_img_height,resz_center_x,resz_center_y,resz_nuc_area\n"
ALLENCELL_HEADER = "image,orig_img_width,orig_img_height,resz_image,resz_img_width,resz_img_height\n"


def compare(expected, out):
    """The largest difference, and how PNGs are laid out, over all files of a conversion."""
    import cv2

    worst, layouts = 0, set()
    for path, pixels in expected.items():
        found = cv2.imread(os.path.join(out, path), cv2.IMREAD_UNCHANGED)
        assert found is not None and found.shape == pixels.shape and found.dtype == np.uint16, path
        worst = max(worst, int(np.abs(found.astype(np.int64) - pixels).max()))
        with open(os.path.join(out, path), "rb") as file:
            head = file.read(26)
        layouts.add((head[24], head[25]))
    made = {os.path.join(d, n) for d in ("intermediate", "resized") for n in os.listdir(os.path.join(out, d))}
    assert made == set(expected), made ^ set(expected)
    return worst, sorted(layouts)


def check(folder, out, min_area=2500):
    import cv2

    report = {"opencv": cv2.__version__}
    for ipp in (False, True):
        cv2.ipp.setUseIPP(ipp)
        files, text = {}, OPENCELL_HEADER
        for name in sorted(os.listdir(os.path.join(folder, "opencell"))):
            labels = os.path.join(folder, "labels", name.replace("_proj.tif", ".tif"))
            more, rows = opencell_reference(os.path.join(folder, "opencell", name), labels, int(min_area))
            files.update(more)
            # An empty field leaves an empty line.
            text += "\n".join(",".join(map(str, row)) for row in rows) + "\n"
        key = "ipp" if ipp else "plain"
        report[f"opencell_{key}"], report["layouts"] = compare(files, os.path.join(out, "opencell"))
        report["crops"] = len(files)
        with open(os.path.join(out, "opencell", "metadata.csv"), newline="") as file:
            report["opencell_csv"] = file.read() == text
        files, text = {}, ALLENCELL_HEADER
        for name in sorted(os.listdir(os.path.join(folder, "allencell"))):
            more, rows = allencell_reference(os.path.join(folder, "allencell", name))
            files.update(more)
            text += "".join(",".join(map(str, row)) + "\n" for row in rows)
        report[f"allencell_{key}"], _ = compare(files, os.path.join(out, "allencell"))
        with open(os.path.join(out, "allencell", "metadata.csv"), newline="") as file:
            report["allencell_csv"] = file.read() == text
    return report


def format_tables(folder, out):
    import pandas as pd

    meta = pd.read_csv(os.path.join(out, "opencell", "metadata.csv"))
    notes = pd.read_csv(os.path.join(folder, "annotations.csv"))
    tokens = meta["image"].str.split("_", expand=True)
    meta["gene"], meta["ensembl"], meta["fov"] = tokens[1], tokens[2], tokens[4]
    meta = meta.merge(notes, how="left", left_on="gene", right_on="target_name")
    nothing = np.nan
    table = pd.DataFrame(
        {
            "top": meta["resz_center_y"] - 640 / 2,
            "left": meta["resz_center_x"] - 640 / 2,
            "width": 640,
            "height": 640,
            "id": meta["image"].str.replace("proj.tif", "", regex=False) + meta["cell_id"].astype(str),
            "location": meta["annotations_grade_3"],
            "location_code": nothing,
            "locations": meta["annotations_grade_3"],
            "gene_names": meta["gene"],
            "ensembl_ids": meta["ensembl"],
            "atlas_name": "HEK293T",
            "ImageWidth": meta["resz_img_width"],
            "ImageHeight": meta["resz_img_height"],
            "target": nothing,
            "image_id": meta["fov"],
            "cell_id": meta["cell_id"],
            "nucleus_area": meta["resz_nuc_area"],
            "cell_area": nothing,
            "resized_image_name": meta["resz_image"],
        }
    )
    with open(os.path.join(out, "opencell.formatted.csv"), newline="") as file:
        opencell = file.read() == table.to_csv(index=False)
    meta = pd.read_csv(os.path.join(out, "allencell", "metadata.csv"))
    cells = pd.read_csv(os.path.join(folder, "manifest.csv"))
    cells["image"] = cells["crop_raw"].str.replace("crop_raw/", "", regex=False)
    cells["gene"] = cells["structure_name"].str.replace("HIST1H2BJ", "H2BC11", regex=False)
    cells = cells.merge(pd.read_table(os.path.join(folder, "genes.tsv")), how="left", left_on="gene", right_on="Gene name")
    cells = cells.merge(pd.read_table(os.path.join(folder, "locations.tsv")), how="left", on="structure_name")
    meta = meta.merge(cells, how="left", on="image")
    table = pd.DataFrame(
        {
            "top": 0,
            "left": 0,
            "width": 640,
            "height": 640,
            "id": meta["image"].str.replace("_raw.ome.tif", "", regex=False),
            "location": meta["location"],
            "location_code": nothing,
            "locations": meta["location"],
            "gene_names": meta["gene"],
            "ensembl_ids": meta["Gene stable ID"],
            "atlas_name": "WTC-11",
            "ImageWidth": meta["resz_img_width"],
            "ImageHeight": meta["resz_img_height"],
            "target": nothing,
            "image_id": meta["FOVId"],
            "cell_id": meta["CellId"],
            "nucleus_area": nothing,
            "cell_area": nothing,
            "resized_image_name": meta["resz_image"],
            "cell_stage": meta["cell_stage"],
        }
    )
    with open(os.path.join(out, "allencell.formatted.csv"), newline="") as file:
        allencell = file.read() == table.to_csv(index=False)
    return {"opencell": opencell, "allencell": allencell}


def scportrait():
    """scPortrait's reading and writing of .h5sc: its own files, loaded without the rest of the package, which needs torch and cellpose."""
    import importlib
    import importlib.util
    import types

    root = os.path.dirname(importlib.util.find_spec("scportrait").origin)
    for name in ("", ".pipeline", ".tools", ".tools.sdata", ".tools.sdata.write", ".tools.sdata.write._helper"):
        module = types.ModuleType(f"scportrait{name}")
        module.__path__ = [os.path.join(root, *name.split(".")[1:])]
        # Only for writing tables of SpatialData.
        module._normalize_anndata_strings = None
        sys.modules[f"scportrait{name}"] = module
    return importlib.import_module("scportrait.io.h5sc"), importlib.import_module("scportrait.tools.h5sc.operations")


def described(path):
    """How a .h5sc is laid out: what differs from file to file are the columns of obs."""
    import h5py

    with h5py.File(path) as file:
        images = file["obsm/single_cell_images"]
        uns = file["uns/single_cell_images"]
        return {
            "root": dict(file.attrs),
            "groups": sorted(name for name in file if name != "X"),
            "images": [images.shape, images.dtype.str, images.chunks, images.compression],
            "attributes": {k: [np.asarray(v).dtype.str, np.asarray(v).tolist()] for k, v in images.attrs.items()},
            "uns": {k: [v.dtype.kind, v.asstr()[()].tolist() if v.shape else v[()]] for k, v in uns.items()},
            "var": sorted(file["var"]),
            "cell id": [file["obs/scportrait_cell_id"].dtype.str, file["obs/scportrait_cell_id"][:].tolist()],
        }


def plain(value):
    return json.loads(json.dumps(value, default=lambda one: one.tolist() if hasattr(one, "tolist") else one.decode()))


def h5sc(path, folder):
    """Open a file with scPortrait's reader, compare its cells with the PNG crops, and its layout with what scPortrait's writer makes of them."""
    import cv2
    import h5py

    io, operations = scportrait()
    adata = io.read_h5sc(path)
    images = adata.obsm["single_cell_images"]
    ids = adata.obs["scportrait_cell_id"].tolist()
    worst = 0.0
    for i, crop in enumerate(adata.obs["crop"]):
        png = cv2.imread(os.path.join(folder, f"{crop}.png"), cv2.IMREAD_UNCHANGED)
        cell = operations.get_image_with_cellid(adata, ids[i])
        for c in range(2):
            plane = png[..., c].astype(np.float64)
            expected = (plane - plane.min()) / max(1, np.ptp(plane))
            worst = max(worst, float(np.abs(cell[1 + c] - expected).max()))
    areas = [int((images[i, 0] > 0).sum()) for i in range(len(images))]
    uns = adata.uns["single_cell_images"]
    names = uns["channel_names"].tolist()
    theirs = os.path.join(folder, "theirs.h5sc")
    io.numpy_to_h5sc(names[:1], names[1:], images[:, :1], images[:, 1:], theirs, adata.obs["scportrait_cell_id"].to_numpy())
    ours, wanted = described(path), described(theirs)
    # What its writer of arrays does not know; its extraction writes them.
    extraction = ("image_size", "normalization", "normalization_range", "normalization_range_lower", "normalization_range_upper")
    known = {part: {name: ours[part].pop(name) for name in extraction if name in ours[part]} for part in ("attributes", "uns")}
    with h5py.File(theirs) as file:
        pixels = bool((file["obsm/single_cell_images"][:] == images[:]).all())
    return {
        "shape": list(images.shape),
        "cell_id": ids,
        "index": operations.get_image_index(adata, ids),
        "channels": names,
        "mapping": list(map(str, adata.var["channel_mapping"])),
        "obs": list(adata.obs.columns),
        "worst": worst,
        "masks": sorted(np.unique(images[:, 0]).tolist()),
        "areas": areas,
        "pixels": pixels,
        "different": [part for part in ours if plain(ours[part]) != plain(wanted[part])],
        "known": plain(known),
    }


if __name__ == "__main__":
    verbs = {"generate": generate, "channels": channels, "check": check, "format": format_tables, "h5sc": h5sc}
    print(json.dumps(verbs[sys.argv[1]](*sys.argv[2:])))
