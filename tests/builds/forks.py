"""Forks by `multiprocessing` while threads of a Rust library use its allocator: forks.py LIBRARY

The library is that of tests/unloading. Each child uses the allocator and starts busy threads of its own.
"""

import ctypes
import multiprocessing
import sys
import warnings

ROUNDS, CHILDREN, TASKS = 20, 4, 16

addon = ctypes.CDLL(sys.argv[1])
addon.addon_hits.restype = ctypes.c_uint64


def work(_):
    before = addon.addon_hits()
    for _ in range(200):
        slots = addon.addon_use()
        assert slots == 4, f"{slots} of 4 blocks are slots"
    assert addon.addon_hits() >= before + 800
    return True


def start():
    addon.addon_keep_busy(2)


if __name__ == "__main__":
    # That forks and threads do not go together is what this is about.
    warnings.simplefilter("ignore", DeprecationWarning)
    addon.addon_keep_busy(4)
    context = multiprocessing.get_context("fork")
    for _ in range(ROUNDS):
        with context.Pool(CHILDREN, start) as pool:
            assert all(pool.map_async(work, range(TASKS), chunksize=1).get(timeout=60))
        work(None)
    print(f"forks: {ROUNDS * CHILDREN} children, {addon.addon_hits()} hits here")
