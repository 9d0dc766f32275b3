"""The Python clients of `./dev bench http`.

usage: http_load.py aiohttp|requests URL COUNT AT_ONCE
Prints wall and CPU seconds and the peak memory in KiB, as bench/http_load.cpp does.
"""
import resource
import sys
import time


def with_aiohttp(url, count, at_once):
    import asyncio

    import aiohttp

    async def ask(session, numbers):
        for _ in numbers:
            async with session.get(url) as page:
                assert page.status == 200 and len(await page.read()) == 1024

    async def run():
        numbers = iter(range(count))
        limit = aiohttp.TCPConnector(limit=at_once)
        async with aiohttp.ClientSession(connector=limit) as session:
            await asyncio.gather(*(ask(session, numbers) for _ in range(at_once)))

    asyncio.run(run())


def with_requests(url, count, at_once):
    from concurrent.futures import ThreadPoolExecutor

    import requests

    session = requests.Session()
    session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=at_once))

    def ask(_):
        page = session.get(url)
        assert page.status_code == 200 and len(page.content) == 1024

    with ThreadPoolExecutor(at_once) as pool:
        list(pool.map(ask, range(count)))


def main():
    who, url, count, at_once = sys.argv[1:]
    run = {"aiohttp": with_aiohttp, "requests": with_requests}[who]
    start = time.perf_counter()
    run(url, int(count), int(at_once))
    wall = time.perf_counter() - start
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(f"{wall:.6f} {used.ru_utime + used.ru_stime:.6f} {used.ru_maxrss}")


main()
