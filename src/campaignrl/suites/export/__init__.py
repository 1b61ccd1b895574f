"""Results of a benchmark for tools that others keep their experiments in.

mlflow_store.py  to MLflow: a run for each world and policy, its params, metrics by seed, and the results file
trackers.py      which tools there are, each loaded only where it is asked for
"""

from campaignrl.suites.export.trackers import require_mlflow as require_mlflow
from campaignrl.suites.export.trackers import to_mlflow as to_mlflow
