"""Fits BG/NBD with the package `lifetimes`, in an environment that has it: seconds and parameters as JSON.

python drive_lifetimes.py HISTORIES.npz, which holds the arrays x, t_x and T.
"""

import json
import sys
import time
import warnings

import numpy as np

warnings.simplefilter("ignore")
from lifetimes import BetaGeoFitter  # noqa: E402 - its imports warn

given = np.load(sys.argv[1], allow_pickle=False)
fitter, start = BetaGeoFitter(), time.process_time()
fitter.fit(given["x"], given["t_x"], given["T"])
seconds = time.process_time() - start
print(json.dumps({"cpu_seconds": seconds, "parameters": {k: float(v) for k, v in fitter.params_.items()}}))
