# SPDX-License-Identifier: Apache-2.0
"""What the places cost at which stored gzip can be inflated: size and processor time by their distance.

restarts.py FILE...
"""

import sys, time, zlib


def compress(data, distance):
    began, size, coder = time.process_time(), 0, zlib.compressobj(5, zlib.DEFLATED, 31, 8)
    for start in range(0, len(data), distance or len(data)):
        size += len(coder.compress(data[start:start + (distance or len(data))]))
        if distance:
            size += len(coder.flush(zlib.Z_FULL_FLUSH))
    return size + len(coder.flush()), time.process_time() - began


for path in sys.argv[1:]:
    data = open(path, "rb").read()
    without = min(compress(data, 0) for _ in range(3))
    for distance in (1 << 20, 512 << 10, 256 << 10, 128 << 10):
        size, seconds = min(compress(data, distance) for _ in range(3))
        print("%s, every %4d KiB: %+.2f %% of size, %+.1f %% of time" % (
            path, distance >> 10, 100 * (size / without[0] - 1), 100 * (seconds / without[1] - 1)))
    coded, began = zlib.compress(data, 5), time.process_time()
    zlib.decompress(coded)
    print("%s: 256 KiB are inflated in %.2f ms" % (path, (time.process_time() - began) / len(data) * (256 << 10) * 1e3))
