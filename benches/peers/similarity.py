"""One index of another library, measured as `benches/similarity` measures ours: the same files, the same lines of JSON.

`cargo xtask bench similarity` runs it, every configuration in a process of its own. `similarity.py versions` tells which
of the libraries are there.
"""

import argparse
import importlib.metadata
import json
import os
import statistics
import sys
import time

LIBRARIES = ("faiss-cpu", "hnswlib", "usearch")
M, EF_CONSTRUCTION = 16, 200
# Distances are computed in double precision on both sides, and rounded to f32.
ROUNDING = 1e-6
# Rows of a range search in one call, and the most rows that are queries of one: what more would take is extrapolated.
BLOCK, MOST_QUERIES = 10_000, 100_000


class Faiss:
    def __init__(self, index, np, args):
        import faiss

        faiss.omp_set_num_threads(args.threads)
        self.faiss, self.args, dim = faiss, args, args.dim
        self.options = []
        if index == "Flat":
            self.index = faiss.IndexFlatIP(dim)
        elif index == "HNSW":
            self.index = faiss.IndexHNSWFlat(dim, M, faiss.METRIC_INNER_PRODUCT)
            self.hnsw(self.index.hnsw)
        elif index == "IVF,Flat":
            self.index = faiss.index_factory(dim, f"IVF{self.lists()},Flat", faiss.METRIC_INNER_PRODUCT)
            self.options = [f"nlist={self.lists()}"]
        elif index == "BinaryFlat":
            self.index = faiss.IndexBinaryFlat(dim)
        elif index == "BinaryHNSW":
            self.index = faiss.IndexBinaryHNSW(dim, M)
            self.hnsw(self.index.hnsw)
        elif index == "BinaryMultiHash":
            self.index = faiss.IndexBinaryMultiHash(dim, 16, 16)
            self.index.nflip = 1
            self.options = ["nhash=16", "b=16", "nflip=1"]
        else:
            sys.exit(f"no index of faiss-cpu is called {index}")

    def hnsw(self, hnsw):
        hnsw.efConstruction = EF_CONSTRUCTION
        self.options = [f"M={M}", f"efConstruction={EF_CONSTRUCTION}"]

    def lists(self):
        # FAISS asks for at least 39 vectors a list to train on.
        return max(1, min(1024, self.args.rows // 39))

    def add(self, rows):
        if not self.index.is_trained:
            self.index.train(rows)
        self.index.add(rows)

    def set(self, key, value):
        if key == "efSearch":
            self.index.hnsw.efSearch = value
        else:
            self.index.nprobe = value

    def search(self, queries, k):
        return self.index.search(queries, k)[1]

    def within(self, queries, radius):
        # A range search of FAISS is for distances below the radius.
        return int(self.index.range_search(queries, int(radius) + 1)[0][-1])

    def save(self, path):
        write = self.faiss.write_index_binary if self.args.bits else self.faiss.write_index
        write(self.index, path)


class Hnswlib:
    options = [f"M={M}", f"ef_construction={EF_CONSTRUCTION}"]

    def __init__(self, index, np, args):
        import hnswlib

        self.threads = args.threads
        self.index = hnswlib.Index(space="ip", dim=args.dim)
        self.index.init_index(max_elements=args.rows, M=M, ef_construction=EF_CONSTRUCTION)
        self.index.set_num_threads(args.threads)

    def add(self, rows):
        self.index.add_items(rows, num_threads=self.threads)

    def set(self, key, value):
        self.index.set_ef(value)

    def search(self, queries, k):
        return self.index.knn_query(queries, k=k, num_threads=self.threads)[0]

    def save(self, path):
        self.index.save_index(path)


class Usearch:
    options = [f"connectivity={M}", f"expansion_add={EF_CONSTRUCTION}"]

    def __init__(self, index, np, args):
        from usearch.index import Index

        self.np, self.threads = np, args.threads
        kind = dict(metric="hamming", dtype="b1") if args.bits else dict(metric="ip", dtype="f32")
        self.index = Index(ndim=args.dim, connectivity=M, expansion_add=EF_CONSTRUCTION, **kind)

    def add(self, rows):
        self.index.add(self.np.arange(len(rows), dtype="u8"), rows, threads=self.threads)

    def set(self, key, value):
        self.index.expansion_search = value

    def search(self, queries, k):
        return self.np.asarray(self.index.search(queries, k, threads=self.threads).keys).astype("i8")

    def save(self, path):
        self.index.save(path)


def read(np, path, args, rows=None):
    """Rows of floats, or of packed bits in bytes."""
    width = (args.dim + 7) // 8 if args.bits else args.dim
    kind = "u1" if args.bits else "<f4"
    return np.fromfile(path, kind, count=-1 if rows is None else rows * width).reshape(-1, width)


def status(field):
    """Bytes of a field of /proc/self/status; None where there is none."""
    try:
        with open("/proc/self/status") as lines:
            found = [line.split()[1] for line in lines if line.startswith(field + ":")]
    except OSError:
        return None
    return int(found[0]) * 1024 if found else None


def recall(np, found, truth, vectors, queries, bits):
    """The part of the true neighbours that was found: by distance, so that of equally near ones any will do."""
    hits, k = 0, truth.shape[1]
    for ids, query, farthest in zip(found, queries, truth[:, -1]):
        rows = vectors[np.unique(ids[(ids >= 0) & (ids < len(vectors))]).astype("i8")]
        if bits:
            distances = np.bitwise_count(rows ^ query).sum(1)
        else:
            distances = 1 - rows.astype("f8") @ query.astype("f8")
        hits += min(k, int((distances.astype("f4") <= farthest + ROUNDING).sum()))
    return hits / (k * len(queries))


def pairs(index, vectors, radius):
    """All pairs within the radius, by a search around every vector: each is found twice, and each vector finds itself."""
    asked = vectors[:MOST_QUERIES] if len(vectors) <= MOST_QUERIES else vectors[: 2 * BLOCK]
    start, found = time.perf_counter(), 0
    for first in range(0, len(asked), BLOCK):
        found += index.within(asked[first : first + BLOCK], radius)
    seconds = (time.perf_counter() - start) * len(vectors) / len(asked)
    whole = len(asked) == len(vectors)
    count = (found - len(vectors)) // 2 if whole else None
    return {"radius": radius, "seconds": seconds, "count": count}


def measure(args):
    import numpy as np

    version = importlib.metadata.version(args.library)
    maker = {"faiss-cpu": Faiss, "hnswlib": Hnswlib, "usearch": Usearch}[args.library]
    size = os.path.getsize(args.vectors) // ((args.dim + 7) // 8 if args.bits else 4 * args.dim)
    args.rows = size if args.rows is None else min(size, args.rows)
    index = maker(args.index, np, args)

    before = status("RssAnon")
    vectors = read(np, args.vectors, args, args.rows)
    start = time.perf_counter()
    index.add(vectors)
    seconds, peak = time.perf_counter() - start, status("VmHWM")
    del vectors
    after = status("RssAnon")
    vectors = read(np, args.vectors, args, args.rows)
    joined = None if args.pairs is None else pairs(index, vectors, args.pairs)
    os.makedirs(args.scratch, exist_ok=True)
    path = os.path.join(args.scratch, "peer")
    index.save(path)
    disk = os.path.getsize(path)
    os.remove(path)

    queries = read(np, args.queries, args)
    truth = np.fromfile(args.truth, "<f4").reshape(len(queries), -1)
    key, _, values = (args.sweep or "").partition("=")
    for value in values.split(",") if key else [None]:
        if value is not None:
            index.set(key, int(value))
        line = {
            "library": args.library, "version": version, "backend": args.index, "options": index.options,
            "setting": None if value is None else f"{key}={value}", "threads": args.threads, "rows": len(vectors),
            "queries": len(queries), "k": truth.shape[1], "recall": None, "queries_per_s": None, "build_s": seconds,
            "memory_bytes": None if before is None else max(0, after - before), "peak_bytes": peak, "disk_bytes": disk,
            "pairs": joined,
        }
        if not args.pairs_alone:
            times = []
            for _ in range(args.passes):
                start = time.perf_counter()
                found = index.search(queries, truth.shape[1])
                times.append(time.perf_counter() - start)
            rates = {"median": len(queries) / statistics.median(times), "best": len(queries) / min(times)}
            line["queries_per_s"] = rates
            line["recall"] = recall(np, found, truth, vectors, queries, args.bits)
        print(json.dumps(line), flush=True)


def versions():
    found = {}
    for library in LIBRARIES:
        try:
            found[library] = importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:
            found[library] = None
    print(json.dumps(found))


def main():
    if sys.argv[1:] == ["versions"]:
        return versions()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--library", required=True, choices=LIBRARIES)
    parser.add_argument("--index", required=True)
    parser.add_argument("--sweep", metavar="KEY=VALUES")
    parser.add_argument("--vectors", required=True)
    parser.add_argument("--queries", required=True)
    parser.add_argument("--dim", type=int, required=True)
    parser.add_argument("--bits", action="store_true")
    parser.add_argument("--rows", type=int)
    parser.add_argument("--truth", required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--passes", type=int, default=5)
    parser.add_argument("--pairs", type=float, metavar="RADIUS")
    parser.add_argument("--pairs-alone", action="store_true", help="do not search for nearest neighbours")
    parser.add_argument("--scratch", required=True)
    measure(parser.parse_args())


if __name__ == "__main__":
    main()
