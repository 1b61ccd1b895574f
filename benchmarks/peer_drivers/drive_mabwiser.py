"""MABWiser in its own environment: rows per CPU second of one policy, as one JSON line.

`python drive_mabwiser.py LinUCB|LinTS ROWS PREDICTED ONLINE`: fitted in bulk on ROWS, asked for PREDICTED rows, and
taught ONLINE rows one at a time after being asked for each.
"""

import json
import sys
import time

import numpy as np
from mabwiser.mab import MAB, LearningPolicy

ACTIONS, WIDTH = 20, 32


def main() -> None:
    """Time the three."""
    name, rows, predicted, online = sys.argv[1], *map(int, sys.argv[2:5])
    chance = np.random.default_rng(0)
    X, action, reward = chance.random((rows, WIDTH)), chance.integers(0, ACTIONS, rows), chance.normal(size=rows)
    mab = MAB(arms=list(range(ACTIONS)), learning_policy=getattr(LearningPolicy, name)(alpha=1.0))
    start = time.process_time()
    mab.fit(action, reward, X)
    fitted = time.process_time()
    mab.predict(X[:predicted])
    asked = time.process_time()
    for i in range(online):
        arm = mab.predict(X[i : i + 1])
        mab.partial_fit([arm], [reward[i]], X[i : i + 1])
    taught = time.process_time()
    rates = {"fit": rows / (fitted - start), "predict": predicted / (asked - fitted)}
    print(json.dumps({**rates, "online": online / (taught - asked)}))


if __name__ == "__main__":
    main()
