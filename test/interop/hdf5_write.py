"""Looks through what packages/hdf5 wrote with h5py (libhdf5), then changes it, as who appends to a file does."""

import sys

import h5py
import numpy as np


def check(path):
    with h5py.File(path) as file:
        links = file["links"]
        assert len(links) == 20_000 and links["17"][()] == 17 and links["19999"][()] == 19_999
        assert sorted(links)[:2] == ["0", "1"]
        order = file["frame"].attrs["column-order"]
        assert len(order) == 36_000 and order[35_999] == "gene 35999"
        assert sorted(file["frame"].attrs) == ["column-order", "encoding-type", "flag"]
        assert file["frame"].attrs["encoding-type"] == "dataframe" and file["frame"].attrs["flag"] == np.True_
        assert all(file["many"].attrs[f"a{i}"] == i for i in range(300))
        assert file["soft/77"][()] == 77
        assert file["twins/first"] == file["twins/second"] and h5py.h5o.get_info(file["twins/first"].id).rc == 2
        assert h5py.h5o.get_info(file["links-too"].id).rc == 2 and h5py.h5o.get_info(file["frame"].id).rc == 1

        expected = np.arange(500_000) % 7 + 1
        for name, compression in {"gzip": "gzip", "lzf": "lzf", "gzip6": "gzip", "plain": None}.items():
            data = file[f"numbers/{name}"]
            assert data.compression == compression and data.maxshape == (None,), name
            assert data.dtype == np.float32 and (data[:] == expected).all(), name
        assert file["numbers/lzf"].fletcher32 and file["numbers/gzip"].shuffle
        noise = file["numbers/noise"]
        # Chunks that LZF could not shrink are stored as they are, and marked.
        assert noise.compression == "lzf" and noise.id.get_chunk_info(0).filter_mask == 1
        assert (noise[:] == (np.arange(100_000, dtype=np.uint64) * 2_654_435_761 >> 7).astype(np.uint32)).all()

        for dtype in ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float16", "float32", "float64"]:
            values = file[f"types/{dtype}"]
            assert values.dtype == dtype and (values[:] == np.array([0, 1, 100], dtype)).all(), dtype
        assert file["types/bool"].dtype == bool and list(file["types/bool"][:]) == [True, False]
        assert list(file["types/strings"].asstr()[:]) == ["a", "", "ü"]
        assert list(file["types/fixed"][:]) == [b"ab", b"c"]
        assert file["types/records"].dtype.names == ("id", "score") and file["types/records"][1]["id"] == 2

        wide = file["wide"]
        assert wide.shape == (1_000, 300) and wide.maxshape == (None, 300) and wide.fillvalue == -9
        assert (wide[:] == np.arange(300_000).reshape(1_000, 300)).all()
        assert (wide[401:403, 17:19] == np.arange(300_000).reshape(1_000, 300)[401:403, 17:19]).all()

        images = file["images"]
        assert images.shape == (100, 3, 8, 8) and images.chunks == (1, 1, 8, 8) and images.dtype == np.float16
        planes = (np.arange(100)[:, None] * 3 + np.arange(192)) % 99
        assert (images[:] == planes.reshape(100, 3, 8, 8)).all() and (images[70, 1] == planes.reshape(100, 3, 8, 8)[70, 1]).all()


def change(path):
    with h5py.File(path, "r+") as file:
        file["wide"].resize((1_003, 300))
        assert (file["wide"][1_000:] == -9).all()
        file["numbers/gzip"].resize((500_001,))
        file["numbers/gzip"][-1] = 5
        file["images"].resize((101, 3, 8, 8))
        file["images"][100, 2] = 7
        file["links"]["extra"] = 3
        file["links"].create_group("group")
        file["frame"].attrs["extra"] = "x" * 5_000
        file["many"].attrs["extra"] = 1
        file["plain"].attrs["extra"] = 1
        # What is left of two links still leads somewhere.
        del file["twins/first"]
        del file["links-too"]
        file["twins/filler"] = np.arange(1_000)
    with h5py.File(path) as file:
        assert (file["images"][100, 2] == 7).all() and (file["images"][100, 1] == 0).all() and file["images"][99, 2, 0, 0] == 29
        assert file["numbers/gzip"][-1] == 5 and len(file["links"]) == 20_002 and file["links/extra"][()] == 3
        assert len(file["frame"].attrs["extra"]) == 5_000 and file["frame"].attrs["column-order"][5] == "gene 5"
        assert list(file["twins/second"][:]) == [4, 5]
        assert len(file["many"].attrs) == 301 and file["plain"].attrs["extra"] == 1


check(sys.argv[1])
change(sys.argv[1])
print("ok")
