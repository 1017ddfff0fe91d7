"""Measures `preprocess` against Python on synthetic inputs of the published layouts, alternating, medians of five.

    cargo build --release -p preprocess
    pip install numpy pillow torch tensorflow-cpu
    python preprocess/bench/compare.py target/release/preprocess [--dir DIR] [--runs 5]

Every process starts anew and its start is part of its time; inputs are in the page cache. `preprocess` syncs what it
writes and Python does not, so DIR should be a memory file system (the default) if the disk's speed is not the question.
"""
import argparse, io, os, resource, shutil, statistics, subprocess, sys, tarfile, time
import numpy as np

BASELINES = {
    "records_numpy": """
import sys, tarfile, struct, numpy as np
images = []
def varint(b, i):
    n = s = 0
    while True:
        n |= (b[i] & 127) << s; s += 7; i += 1
        if b[i - 1] < 128: return n, i
with tarfile.open(sys.argv[1]) as tar:
    for m in sorted(tar.getmembers(), key=lambda m: m.name):
        if '-r08-' not in m.name or 'train' not in m.name: continue
        b = tar.extractfile(m).read(); at = 0
        while at < len(b):
            n = struct.unpack_from('<Q', b, at)[0]
            r = b[at + 12:at + 12 + n]; at += n + 16
            k = r.index(b'data\\x12') + 5
            _, k = varint(r, k); _, k = varint(r, k + 1); size, k = varint(r, k + 1)
            images.append(np.frombuffer(r, np.uint8, size, k).reshape(256, 256, 3))
np.save(sys.argv[2], np.stack(images))
""",
    "records_tf": """
import os, sys
os.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'; os.environ['CUDA_VISIBLE_DEVICES'] = ''
import glob, numpy as np, time, tensorflow.compat.v1 as tf
tf.disable_eager_execution()
session = tf.InteractiveSession(); images = []; n = int(sys.argv[3]); start, spent = time.time(), time.process_time()
for path in sorted(glob.glob(sys.argv[1] + '/train-r08-*')):
    for record in tf.python_io.tf_record_iterator(path):
        if len(images) == n: break
        example = tf.train.Example(); example.ParseFromString(record)
        data = example.features.feature['data'].bytes_list.value[0]
        images.append(tf.reshape(tf.decode_raw(data, tf.uint8), [256, 256, 3]).eval())
np.save(sys.argv[2], np.stack(images))
print('seconds', time.time() - start, time.process_time() - spent)
""",
    "npy_torch": """
import sys, torch, numpy as np
torch.save(torch.tensor(np.load(sys.argv[1])).permute(0, 3, 1, 2), sys.argv[2])
""",
    "png_pil": """
import sys, os, numpy as np
from PIL import Image
names = sorted(os.listdir(sys.argv[1]))
np.save(sys.argv[2], np.stack([np.asarray(Image.open(os.path.join(sys.argv[1], n))) for n in names]))
""",
}


def photo_like(rng, n, size):
    """Smooth pictures with some noise, which take about as many bytes as photographs do."""
    coarse = rng.integers(0, 256, (n, 9, 9, 3)).astype(np.float32)
    at = np.linspace(0, 8, size, endpoint=False)
    i = at.astype(int)
    f = (at - i).astype(np.float32)[:, None, None]
    rows = coarse[:, i] * (1 - f) + coarse[:, i + 1] * f
    f = f.transpose(1, 0, 2)
    x = rows[:, :, i] * (1 - f) + rows[:, :, i + 1] * f
    return (x + rng.normal(0, 6, x.shape)).clip(0, 255).astype(np.uint8)


# The published training images are 83 shards, which two threads share evenly; so many in each of 120 files make 10 shards.
TRAIN_PER_FILE = 27


def make(dir, n_npy=40_000, n_png=10_000):
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import tensorflow as tf
    from PIL import Image

    rng = np.random.default_rng(0)
    ints = lambda v: tf.train.Feature(int64_list=tf.train.Int64List(value=v))
    images = photo_like(rng, 32, 256)
    for folder, files, n in (("train", 120, TRAIN_PER_FILE), ("validation", 40, 1)):
        os.makedirs(f"{dir}/celeba-tfr/{folder}")
        for k in range(files):
            with tf.io.TFRecordWriter(f"{dir}/celeba-tfr/{folder}/{folder}-r08-s-{k:04}-of-{files:04}.tfrecords") as w:
                for i in range(n):
                    data = tf.train.Feature(bytes_list=tf.train.BytesList(value=[np.roll(images[i % 32], k, 0).tobytes()]))
                    feature = {"shape": ints([256, 256, 3]), "data": data, "label": ints([0]), "attr": ints([1, -1] * 20)}
                    w.write(tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString())
    with tarfile.open(f"{dir}/celeba-tfr.tar", "w") as tar:
        tar.add(f"{dir}/celeba-tfr", "celeba-tfr")
    some = photo_like(rng, 1000, 64)
    np.save(f"{dir}/train_64x64.npy", np.concatenate([np.roll(some, k, 1) for k in range(n_npy // 1000)]))
    np.save(f"{dir}/valid_64x64.npy", some[:10])
    os.makedirs(f"{dir}/png/train_64x64")
    os.makedirs(f"{dir}/png/valid_64x64")
    for k in range(n_png // 1000):
        for i, image in enumerate(np.roll(some, 3 * k, 2)):
            Image.fromarray(image).save(f"{dir}/png/train_64x64/{1000 * k + i:07}.png")
    Image.fromarray(some[0]).save(f"{dir}/png/valid_64x64/0.png")


def seconds(args):
    """Elapsed time and processor time."""
    processor = lambda: sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
    start, before = time.perf_counter(), processor()
    done = subprocess.run(args, capture_output=True, text=True)
    elapsed, spent = time.perf_counter() - start, processor() - before
    if done.returncode:
        sys.exit(f"{args[0]} failed: {done.stderr[-2000:]}")
    for line in done.stdout.splitlines():  # a program that tells its own times does not count its imports
        if line.startswith("seconds "):
            elapsed, spent = map(float, line.split()[1:])
    return elapsed, spent


def compare(label, amount, unit, runs, ours, baselines, out):
    """`baselines`: name -> (arguments, share of the amount that it converts)."""
    times = {name: [] for name in ["preprocess", *baselines]}
    for _ in range(runs):
        shutil.rmtree(f"{out}/o", ignore_errors=True)
        times["preprocess"].append(seconds(ours))
        shutil.rmtree(f"{out}/o", ignore_errors=True)
        for name, (args, _) in baselines.items():
            times[name].append(seconds(args))
            for file in os.listdir(out):
                if file.startswith("result"):
                    os.remove(f"{out}/{file}")
    rate, processor_rate = {}, {}
    for name, t in times.items():
        done = amount * (1 if name == "preprocess" else baselines[name][1])
        elapsed, spent = zip(*t)
        rate[name], processor_rate[name] = done / statistics.median(elapsed), done / statistics.median(spent)
        spread = f"{done / max(elapsed):.0f} to {done / min(elapsed):.0f}"
        ratio = f", preprocess is {rate['preprocess'] / rate[name]:.1f} times as fast"
        ratio += f" ({processor_rate['preprocess'] / processor_rate[name]:.1f} times in processor time)"
        print(f"{label}: {name} {rate[name]:.0f} {unit} ({spread}){ratio if name != 'preprocess' else ''}", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--dir", default="/dev/shm/preprocess-bench")
    parser.add_argument("--runs", type=int, default=5)
    a = parser.parse_args()
    program, dir, out = os.path.abspath(a.program), a.dir, f"{a.dir}/out"
    if not os.path.exists(f"{dir}/png/valid_64x64/0.png"):
        shutil.rmtree(dir, ignore_errors=True)
        os.makedirs(out)
        make(dir)
    py = lambda name, *args: [sys.executable, "-c", BASELINES[name], *map(str, args)]
    jobs = ["--jobs", "2", "--out", f"{out}/o", "--force"]
    n = 120 * TRAIN_PER_FILE
    mb = n * 196_608 / 1e6
    tfr = [program, "celeba-tfr", f"{dir}/celeba-tfr.tar", "--counts", f"{n},40", *jobs]
    compare("TFRecords, med-zstd1", mb, "MB/s", a.runs, tfr, {}, out)
    compare("TFRecords, raw", mb, "MB/s", a.runs, [*tfr, "--codec", "raw"], {
        "numpy": (py("records_numpy", f"{dir}/celeba-tfr.tar", f"{out}/result.npy"), 1),
        "the reference implementation's way, 180 images": (py("records_tf", f"{dir}/celeba-tfr/train", f"{out}/result.npy", 180), 180 / n),
    }, out)
    mb = os.path.getsize(f"{dir}/train_64x64.npy") / 1e6
    npy = [program, "imagenet", "--size", "64", "--counts", "40000,10", "--input", dir, *jobs]
    compare(".npy, med-zstd1", mb, "MB/s", a.runs, npy, {}, out)
    compare(".npy, raw", mb, "MB/s", a.runs, [*npy, "--codec", "raw"], {
        "torch": (py("npy_torch", f"{dir}/train_64x64.npy", f"{out}/result.pth"), 1),
    }, out)
    png = [program, "imagenet", "--size", "64", "--counts", "10000,1", "--input", f"{dir}/png", *jobs]
    compare("PNG, raw", 10_000, "images/s", a.runs, [*png, "--codec", "raw"], {
        "PIL": (py("png_pil", f"{dir}/png/train_64x64", f"{out}/result.npy"), 1),
    }, out)
    print("load:", os.getloadavg())


if __name__ == "__main__":
    main()
