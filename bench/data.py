"""What Python users have, measured for bench/data.ts: one JSON object a line."""

import glob
import json
import os
import sys
import time


def line(source, what, count, seconds):
    print(json.dumps({"source": source, "what": what, "count": count, "seconds": seconds}))


def imagefolder(root, batch, workers):
    import torch
    from torchvision import datasets, transforms

    torch.set_num_threads(int(workers))
    data = datasets.ImageFolder(root, transforms.ToTensor())
    for count in (0, int(workers)):
        loader = torch.utils.data.DataLoader(
            data, batch_size=int(batch), shuffle=True, num_workers=count, persistent_workers=count > 0
        )
        for _ in loader:  # Starts the workers.
            break
        began = time.perf_counter()
        seen = sum(len(labels) for _, labels in loader)
        line("ImageFolder", f"DataLoader, batches of {batch}, {count} workers", seen, time.perf_counter() - began)


def parquet_write(root, path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    files = sorted(glob.glob(os.path.join(root, "**", "*.jpg"), recursive=True))
    began = time.perf_counter()
    images = [{"bytes": open(file, "rb").read(), "path": os.path.basename(file)} for file in files]
    labels = [sum(map(ord, os.path.basename(os.path.dirname(file)))) % 10 for file in files]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    pq.write_table(pa.table({"image": pa.array(images, kind), "label": labels}), path, row_group_size=1000)
    line("pyarrow", "pictures written to Parquet", len(files), time.perf_counter() - began)


def convert(csv, folder):
    import pyarrow.csv as pc
    import pyarrow.feather as pf
    import pyarrow.parquet as pq

    began = time.perf_counter()
    table = pc.read_csv(csv)
    pq.write_table(table, os.path.join(folder, "table.parquet"), row_group_size=200_000)
    pf.write_feather(table, os.path.join(folder, "table.feather"), chunksize=200_000)
    line("pyarrow", "CSV to Parquet and Feather", len(table), time.perf_counter() - began)


def npz(npy, path):
    import numpy as np

    began = time.perf_counter()
    values = np.load(npy, mmap_mode="r")
    np.savez_compressed(path, x=values)
    line("numpy", "NPY to packed NPZ", len(values), time.perf_counter() - began)


def table(what, folder):
    import numpy as np

    library, kind = what.split("-")
    path = os.path.join(folder, f"table.{kind}")
    began = time.perf_counter()
    if library == "pandas":
        import pandas as pd

        frame = pd.read_csv(path) if kind == "csv" else pd.read_parquet(path)
    else:
        import pyarrow.csv as pc
        import pyarrow.parquet as pq

        frame = (pc.read_csv(path) if kind == "csv" else pq.read_table(path)).to_pandas()
    numbers = frame[["a", "b", "c", "y"]].to_numpy(np.float32)
    numbers = (numbers - numbers.mean(0)) / numbers.std(0)
    codes = np.eye(5, dtype=np.float32)[frame["kind"].astype("category").cat.codes]
    rows = np.concatenate([numbers, codes], 1)
    line(what, "read, scaled, one-hot in memory", len(rows), time.perf_counter() - began)
    order = np.random.default_rng(0).permutation(len(rows))[: 64 * 2000]
    began = time.perf_counter()
    for start in range(0, len(order) - 63, 64):
        rows[order[start : start + 64]]
    line(what, "batches of 64, shuffled", len(order), time.perf_counter() - began)


part, what, *rest = sys.argv[1:]
if what == "imagefolder":
    imagefolder(*rest)
elif what == "parquet-write":
    parquet_write(*rest)
elif what == "npz":
    npz(*rest)
elif what == "convert":
    convert(*rest)
else:
    table(what, *rest)
