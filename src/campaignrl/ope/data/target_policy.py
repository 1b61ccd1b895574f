"""What a policy would do on a log's rows: its probabilities, block by block, checked.

A target is a Policy, the name or file of one, an array, a frame or a table file of probabilities, or the word
"logged" (the policy that wrote the log). Not here: what those probabilities imply (weights.py, weighted_rows.py).
n rows, k actions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from campaignrl.arrays import Array
from campaignrl.errors import SHOWN, DataError, Problem, UsageError, nearest
from campaignrl.ope.data.asked_ahead import AskedAhead
from campaignrl.policies import Policy, are_sound, load_policy, unsound_rows
from campaignrl.policies.deep import Recurrent, answers_on, gaps_in
from campaignrl.tables.files import read_frame
from campaignrl.tables.log import FACT, CustomerSketch, DecisionLog

LOGGED = "logged"
WORDS = (LOGGED, "estimate")  # which have a meaning of their own, whatever files there are
TABLES = (".parquet", ".pq", ".csv", ".csv.gz", ".tsv")  # what a file of probabilities ends in


@dataclass(frozen=True)
class TargetPolicy:
    """A policy to be valued. `answer(rows)` gives (m, k) probabilities; None: the logging policy itself."""

    name: str
    answer: Callable[[slice], Array] | None = None
    learned_from: float = 0.0  # about which share of the log's customers it has learned from, as far as its file says
    own_rows: bool = False  # it has learned from the very rows it is asked about
    given: bool = False  # as probabilities, which do not say what they were made from
    notes: tuple[str, ...] = ()  # what a reader of its value should know, in sentences

    def probabilities(self, log: DecisionLog, rows: slice) -> Array:
        """(m, k) for a block of rows: each sums to 1 and stays within what was eligible, or DataError."""
        if self.answer is None:
            raise UsageError("the log does not hold the probabilities of the actions it did not take")
        p = np.asarray(self.answer(rows))
        expected = (len(log.action[rows]), len(log.catalog))
        if p.shape != expected:
            raise DataError(Problem(f"policy {self.name}", "probabilities", p.shape, f"of shape {expected}"))
        if not are_sound(p, None if log.eligible is None else log.eligible[rows]):
            raise DataError(unsound_rows(p, log.allowed(rows), lambda at: _where(self.name, at + rows.start)))
        return p


PolicyLike = Policy | str | Path | Array | pd.DataFrame | TargetPolicy


def policy_of_rows(policy: PolicyLike, log: DecisionLog, kept: Array | None) -> PolicyLike:
    """Probabilities given for every row of `log`, less the rows that are not kept; policies pass as they are.

    So a caller gives (n, k) for the log it has, and need not know which rows are immature. A policy that remembers
    customers answers here, for it must see the rows that are not kept as well.
    """
    if isinstance(policy, str | Path) and _may_be_a_bundle(Path(policy)):
        policy = load_policy(policy, log.catalog, log.context.schema)
    if isinstance(policy, Recurrent):
        policy = _recalled(policy, log)
    if isinstance(policy, TargetPolicy):
        return policy if kept is None else _of_rows(policy, kept)
    if isinstance(policy, pd.DataFrame) or (isinstance(policy, str | Path) and str(policy).endswith(TABLES)):
        policy = read_probabilities(policy, log)
    if not isinstance(policy, np.ndarray):
        return policy
    expected = (len(log), len(log.catalog))
    if policy.shape != expected or policy.dtype.kind not in "fiub":
        raise DataError(Problem("probabilities", "shape", policy.shape, f"numbers of shape {expected}"))
    return policy if kept is None else policy[kept]


def target_policy_of(policy: PolicyLike, log: DecisionLog) -> TargetPolicy:
    """The target named or given by `policy`, for the rows of `log`."""
    if isinstance(policy, str | Path):
        if policy == LOGGED:
            return TargetPolicy(LOGGED)
        policy = load_policy(policy, log.catalog, log.context.schema)
    if isinstance(policy, TargetPolicy):
        return policy
    if isinstance(policy, np.ndarray):
        return TargetPolicy("given probabilities", lambda rows: policy[rows], given=True)
    if not isinstance(policy, Policy):
        allowed = 'a policy, the name or file of one, probabilities, or "logged"'
        raise UsageError(Problem("evaluate", "policy", type(policy).__name__, allowed))
    if isinstance(policy, Recurrent):
        return _recalled(policy, log)
    _require_actions(policy, log)
    share, own = learned_from(policy, log), learned_from_rows(policy, log)
    return TargetPolicy(policy.name, AskedAhead(policy, log), share, own)


def _recalled(policy: Recurrent, log: DecisionLog) -> TargetPolicy:
    """What a recurrent policy would do at every row, remembering the rows before."""
    _require_actions(policy, log)
    p = answers_on(policy, log)
    return TargetPolicy(
        policy.name, lambda rows: p[rows], learned_from(policy, log), learned_from_rows(policy, log), notes=gaps_in(log)
    )


def _of_rows(target: TargetPolicy, kept: Array) -> TargetPolicy:
    if target.answer is None:
        return target
    p = target.answer(slice(None))[kept]
    return replace(target, answer=lambda rows: p[rows])


def _may_be_a_bundle(path: Path) -> bool:
    return str(path) not in WORDS and path.is_file() and not path.name.endswith((".toml", *TABLES))


def _require_actions(policy: Policy, log: DecisionLog) -> None:
    if policy.catalog.names != log.catalog.names:
        differing = sorted(set(policy.catalog.names) ^ set(log.catalog.names)) or ["the same names in another order"]
        fix = "Actions that differ: " + ", ".join(differing[:SHOWN])
        raise DataError(Problem(f"policy {policy.name}", "actions", len(policy.catalog), "the log's actions", fix))


def learned_from(policy: object, log: DecisionLog) -> float:
    """About which share of the log's customers a policy learned from; 0 where its bundle does not say."""
    fact = getattr(policy, "trained_on", {}).get(FACT)
    return 0.0 if fact is None else CustomerSketch.from_dict(fact, "bundle").share_of(log)


def learned_from_rows(policy: object, log: DecisionLog) -> bool:
    """Whether a policy learned from these very rows: all their customers were there, and the last outcome is theirs."""
    fact = getattr(policy, "trained_on", {}).get(FACT)
    if fact is None or not len(log):
        return False
    sketch = CustomerSketch.from_dict(fact, "bundle")
    closed = int(np.max(log.day)) + int(log.meta.get("outcome_days", 0))
    return sketch.share_of(log) == 1.0 and closed == sketch.closed


def read_probabilities(
    source: str | Path | pd.DataFrame, log: DecisionLog, *, encoding: str | None = None
) -> npt.NDArray[np.float64]:
    """(n, k) probabilities from a file or frame: `decision_id`, then one column an action, named after it.

    Rows are met by decision_id, in any order; a decision of the log without a row is an error. An action
    without a column has probability 0 (the rows' sums would tell a forgotten one).
    """
    frame = source if isinstance(source, pd.DataFrame) else read_frame(source, text=("decision_id",), encoding=encoding)
    frame = frame.drop(columns=[c for c in frame if str(c).startswith("__index_level_")])  # pandas leaves these
    where = "probabilities" if isinstance(source, pd.DataFrame) else Path(source).name
    _check_columns(frame, log, where)
    rows = pd.Index(frame["decision_id"].astype(str)).get_indexer(pd.Index(log.decision_id))
    absent = np.flatnonzero(rows < 0)
    if len(absent):
        shown = ", ".join(str(x) for x in log.decision_id[absent[:SHOWN]])
        raise DataError(
            Problem(where, "decision_id", shown, "present", f"{len(absent)} decisions of the log lack a row.")
        )
    out = np.zeros((len(log), len(log.catalog)))
    for a, name in enumerate(log.catalog.names):
        if name in frame:
            out[:, a] = frame[name].to_numpy(dtype=np.float64, na_value=np.nan)[rows]
    return out


def _check_columns(frame: pd.DataFrame, log: DecisionLog, where: str) -> None:
    names = [str(c) for c in frame.columns]
    if "decision_id" not in names:
        raise DataError(Problem(where, "columns", names[:SHOWN], "with a decision_id", nearest("decision_id", names)))
    unknown = [n for n in names if n != "decision_id" and n not in log.catalog.names]
    problems = [Problem(where, "column", n, "an action of the log", nearest(n, log.catalog.names)) for n in unknown]
    problems += [
        Problem(where, f"column {n}", str(frame[n].dtype), "numbers")
        for n in names
        if n in log.catalog.names and not pd.api.types.is_numeric_dtype(frame[n])
    ]
    twice = frame["decision_id"][frame["decision_id"].duplicated()]
    if len(twice):
        problems.append(Problem(where, "decision_id", str(twice.iloc[0]), f"there once ({len(twice)} are repeated)"))
    if problems:
        raise DataError(problems)


def _where(name: str, rows: Array) -> str:
    shown = ", ".join(str(r) for r in rows[:SHOWN]) + (f" and {len(rows) - SHOWN} more" if len(rows) > SHOWN else "")
    return f"policy {name}, matured row{'s' if len(rows) > 1 else ''} {shown}"
