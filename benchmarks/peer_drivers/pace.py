"""Steps per CPU second, measured the same way in each peer's interpreter; standard library only."""

import json
import sys
import time

SECONDS = 1.0  # CPU seconds a measurement lasts at least


def steps_per_cpu_second(play) -> float:
    """play(count): takes `count` environment steps, with ends and new users as they come."""
    count = 200
    play(count)  # warm: compiled functions, caches
    while True:
        start = time.process_time()
        play(count)
        spent = time.process_time() - start
        if spent >= SECONDS:
            return count / spent
        count = int(count * max(1.5, 1.2 * SECONDS / max(spent, 0.01)))


def report(cases: dict) -> None:
    """Measure each case and print one JSON object. cases: name -> play."""
    json.dump({name: steps_per_cpu_second(play) for name, play in cases.items()}, sys.stdout)
