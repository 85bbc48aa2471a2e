"""Autobahn's cases against a server of WebSocket: chats.py HOST PORT [every], a line with the verdict of each but those of
speed. Those of compression are 18 sizes of a thousand messages for each way to compress: all of them with `every`."""
import asyncio
import json
import sys

import kosoku


# Of the sizes: 64 bytes, 1 KiB and 8 KiB, and 8 KiB in pieces of 256 bytes.
SIZES = (2, 4, 6, 11)


async def main(host, port, every=""):
    left_out = ["9.*"]
    if not every:
        left_out += [f"{group}.*.{size}" for group in (12, 13) for size in range(1, 19) if size not in SIZES]
    try:
        results = await kosoku.run_fuzzingclient(f"ws://{host}:{port}", exclude_cases=left_out, concurrency=4)
    except kosoku.FailureError as failed:
        results = failed.results
    for result in results:
        print(json.dumps({
            "case": result.case_id, "passed": result.passed, "verdict": result.behavior.value,
            "close": result.behavior_close.value, "code": result.remote_close_code, "clean": result.was_clean,
            "why": f"{result.result} {result.result_close}"}))


asyncio.run(main(*sys.argv[1:4]))
