#!/usr/bin/env python3
"""The questions of aio.cpp put to CPython's asyncio; prints {question: [ns an item, …]} as JSON.

usage: asyncio_peer.py REPETITIONS QUESTION…
"""
import asyncio
import json
import sys
import time

AWAITS, TASKS, TRIPS, ECHOES = 200_000, 20_000, 2_000, 5_000


async def one():
    return 1


async def await_many():
    total = 0
    for _ in range(AWAITS):
        total += await one()
    return total


async def gather_many():
    await asyncio.gather(*(asyncio.sleep(0) for _ in range(TASKS)))


async def switch_many():
    for _ in range(AWAITS):
        await asyncio.sleep(0)


async def sleep_many():
    await asyncio.gather(*(asyncio.sleep(i * 7919 % 1000 / 1000) for i in range(TASKS)))


async def to_thread_many():
    for _ in range(TRIPS):
        await asyncio.to_thread(int)


async def answer(reader, writer):
    for _ in range(ECHOES):
        writer.write(await reader.readexactly(16))
    writer.close()


async def echo_many():
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    for _ in range(ECHOES):
        writer.write(b"x" * 16)
        await reader.readexactly(16)
    writer.close()
    server.close()


QUESTIONS = {
    "aio_await": (await_many, AWAITS, time.perf_counter_ns),
    "aio_gather": (gather_many, TASKS, time.perf_counter_ns),
    "aio_switch": (switch_many, AWAITS, time.perf_counter_ns),
    "aio_timers": (sleep_many, TASKS, time.process_time_ns),
    "aio_to_thread": (to_thread_many, TRIPS, time.perf_counter_ns),
    "aio_echo": (echo_many, ECHOES, time.perf_counter_ns),
}


def main():
    figures = {}
    for question in sys.argv[2:]:
        run, items, clock = QUESTIONS[question]
        for _ in range(int(sys.argv[1])):
            start = clock()
            asyncio.run(run())
            figures.setdefault(question, []).append((clock() - start) / items)
    json.dump(figures, sys.stdout)


if __name__ == "__main__":
    main()
