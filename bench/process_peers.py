#!/usr/bin/env python3
"""What bench/process.cpp measures, in CPython: prints the seconds that one item takes.

usage: process_peers.py executor|mp_pool QUESTION
"""
import concurrent.futures
import multiprocessing
import sys
import time

SIZES = {"process_1mib": 1 << 20, "process_64mib": 64 << 20}


def add_one(n):
    return n + 1


def give_back(data):
    return data


class Executor:
    """concurrent.futures.ProcessPoolExecutor."""

    def __init__(self, workers):
        self.pool = concurrent.futures.ProcessPoolExecutor(workers)

    def call(self, function, argument):
        return self.pool.submit(function, argument).result()

    def many(self, count):
        for future in [self.pool.submit(add_one, i) for i in range(count)]:
            future.result()

    def close(self):
        self.pool.shutdown()


class Pool:
    """multiprocessing.Pool."""

    def __init__(self, workers):
        self.pool = multiprocessing.Pool(workers)

    def call(self, function, argument):
        return self.pool.apply(function, (argument,))

    def many(self, count):
        for result in [self.pool.apply_async(add_one, (i,)) for i in range(count)]:
            result.get()

    def close(self):
        self.pool.close()
        self.pool.join()


def timed(work):
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def start(kind):
    pool = kind(1)
    pool.call(add_one, 1)
    pool.close()


def measure(kind, question):
    if question == "process_start":
        return timed(lambda: start(kind))
    pool = kind(2 if question == "process_pipelined" else 1)
    pool.many(100)
    if question == "process_serial":
        count = 500
        took = timed(lambda: [pool.call(add_one, i) for i in range(count)])
    elif question == "process_pipelined":
        count = 5000
        took = timed(lambda: pool.many(count))
    else:
        count, data = 3, bytes(SIZES[question])
        took = timed(lambda: [pool.call(give_back, data) for _ in range(count)])
    pool.close()
    return took / count


if __name__ == "__main__":
    print(measure({"executor": Executor, "mp_pool": Pool}[sys.argv[1]], sys.argv[2]))
