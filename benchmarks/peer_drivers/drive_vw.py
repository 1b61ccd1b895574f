"""Vowpal Wabbit's file driver in its own environment: examples learned per CPU second, as one JSON line.

`python drive_vw.py EXPLORATION ROWS FOLDER`: ROWS examples of 20 actions with 32 shared features are written to FOLDER
and learned by `--cb_explore_adf -q SA`; start-up is measured with one example and taken off.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import vowpalwabbit

ACTIONS, WIDTH = 20, 32


def written(path: Path, rows: int) -> Path:
    """A text file of examples."""
    chance = np.random.default_rng(0)
    X, action, reward = chance.random((rows, WIDTH)), chance.integers(0, ACTIONS, rows), chance.normal(size=rows)
    with path.open("w") as out:
        for i in range(rows):
            out.write("shared |S " + " ".join(f"{j}:{x:.4f}" for j, x in enumerate(X[i])) + "\n")
            for a in range(ACTIONS):
                out.write((f"0:{-reward[i]:.4f}:{1 / ACTIONS} " if a == action[i] else "") + f"|A a{a}\n")
            out.write("\n")
    return path


def seconds(path: Path, exploration: str) -> float:
    """CPU seconds to learn a file."""
    start = time.process_time()
    vowpalwabbit.Workspace(f"--cb_explore_adf {exploration} -q SA --quiet -d {path}").finish()
    return time.process_time() - start


def main() -> None:
    """Write, learn, tell."""
    exploration, rows, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    many, one = written(folder / "vw.txt", rows), written(folder / "vw-one.txt", 1)
    rate = rows / (seconds(many, exploration) - seconds(one, exploration))
    for path in (many, one):
        path.unlink()
    print(json.dumps({"fit": rate}))


if __name__ == "__main__":
    main()
