"""Our side of benchmarks/evaluation.py, one case a process: `python evaluation_cases.py CASE [LOG]`."""

import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).resolve().parent / "peer_drivers"))
from rounds import best, cost, report, rounds

from campaignrl import Catalog, DecisionLog, evaluate
from campaignrl.actions import Channel, Offer
from campaignrl.features import Context, Feature, FeatureSchema
from campaignrl.ope.streaming import evaluate_stream
from campaignrl.tables.log import open_log, write_log

FOUR = ("ips", "snips", "dm", "dr")
SCHEMA = FeatureSchema((*(Feature(name=f"x{i}") for i in range(5)), Feature(name="segment", levels=("a", "b", "c"))))


def catalog_of(k: int) -> Catalog:
    """`none` and k - 1 pairs of offers and four channels."""
    pairs = [(f"offer{i // 4}", f"channel{i % 4}") for i in range(k - 1)]
    offers = [Offer(name=name) for name in dict.fromkeys(o for o, _ in pairs)]
    return Catalog.product(offers, [Channel(name=f"channel{j}") for j in range(4)], pairs)


def log_of(data: dict, k: int, per_customer: int = 1, first: int = 0) -> DecisionLog:
    """The rounds as a decision log with six features."""
    n, chance = len(data["action"]), np.random.default_rng(first + 2)
    columns = {f"x{i}": chance.random(n, dtype=np.float32) for i in range(5)}
    customer = np.arange(n) // per_customer
    return DecisionLog(
        catalog=catalog_of(k),
        customers=np.array([str(first + i) for i in range(int(customer[-1]) + 1)], dtype=object),
        customer=customer,
        step=np.arange(n) % per_customer,
        day=np.zeros(n, dtype=np.int32),
        context=Context(SCHEMA, {**columns, "segment": chance.integers(0, 3, n)}),
        action=data["action"],
        propensity=data["pscore"],
        reward=data["reward"],
        cost=np.zeros(n, dtype=np.int64),
        matured=np.ones(n, dtype=bool),
        meta={"policy_id": "uniform"},
    )


def four(n: int, k: int) -> dict:
    """IPS, SNIPS, DM and DR from given predictions, with errors, intervals, lift and verdict."""
    data = rounds(n, k)
    log = log_of(data, k)
    return best(partial(evaluate_stream, log, data["pi"], model=data["q"], estimators=FOUR), 3)


def marginal(n: int, k: int) -> dict:
    """MIPS on the offer, with its interval."""
    data = rounds(n, k)
    log = log_of(data, k)
    uniform = np.broadcast_to(np.float64(1.0 / k), (n, k))
    return best(partial(evaluate, log, data["pi"], logging=uniform, estimators=("mips_offer",)), 2)


def wide(n: int, k: int) -> dict:
    """DR from a model fitted here and its interval; the policy prefers one action by segment."""
    chance = np.random.default_rng(1)
    action = chance.integers(0, k, n)
    reward = (chance.random(n) < 0.02).astype(float)
    log = log_of({"action": action, "reward": reward, "pscore": np.full(n, 1.0 / k)}, k)
    start = time.perf_counter()
    used = cost(partial(evaluate_stream, log, "always:" + log.catalog.names[7], estimators=("dr",), sample=n))
    return {**used, "wall_s": time.perf_counter() - start}


def fitted(n: int, k: int, model: str) -> dict:
    """IPS, SNIPS, DM and DR with a reward model fitted here, cross-fitted in five parts, its penalty chosen."""
    data = rounds(n, k)
    log = log_of(data, k)
    return (
        best(partial(evaluate_stream, log, data["pi"], model=model, estimators=FOUR), 2)
        if model == "ridge"
        else best(partial(evaluate, log, data["pi"], model=model, estimators=FOUR), 1)
    )


def write(path: Path, n: int, k: int) -> dict:
    """A log of n rows, five to a customer, written a million at a time and never held whole."""
    parts, writer = range(0, n, 1_000_000), None
    piece = path.with_suffix(".piece.parquet")
    head: dict[bytes, bytes] = {}
    for first in parts:
        rows = min(1_000_000, n - first)
        chance = np.random.default_rng(first)
        data = {"action": chance.integers(0, k, rows), "reward": (chance.random(rows) < 0.02).astype(float)}
        write_log(log_of({**data, "pscore": np.full(rows, 1.0 / k)}, k, 5, first), piece)
        table = pq.read_table(piece)
        if writer is None:
            said = f'"rows": {rows}'.encode()
            head = {b"campaignrl": table.schema.metadata[b"campaignrl"].replace(said, f'"rows": {n}'.encode())}
            table_schema = table.schema.with_metadata(head)
            writer = pq.ParquetWriter(path, table_schema, compression="zstd")
        writer.write_table(table.cast(table_schema), row_group_size=131_072)
    writer.close()
    piece.unlink()
    return {"rows": n, "file_mib": path.stat().st_size / 2**20}


class Linear:
    """A reward model that is given: linear in the context, one column an action."""

    def __init__(self, width: int, k: int):
        self.coefficients = np.random.default_rng(3).normal(0.0, 0.005, (width, k)).astype(np.float32)

    def predict(self, log: DecisionLog) -> np.ndarray:
        """(m, k)."""
        return log.context.encode() @ self.coefficients


def scan(path: Path) -> None:
    """Read the columns that the evaluation reads, and no more."""
    stream = open_log(path)
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            file.read_row_group(group, columns=list(stream.columns), use_threads=False)


def parquet(path: Path, workers: int) -> dict:
    """IPS, SNIPS and DR from a file with a given model, beside a bare scan of the same columns."""
    stream = open_log(path)
    facts = stream.facts
    model, name = Linear(facts.features.width, len(facts.catalog)), "always:" + facts.catalog.names[7]
    bare, start = cost(partial(scan, path)), time.perf_counter()
    asked = {"model": model, "estimators": ("ips", "snips", "dr"), "workers": workers}
    ours = cost(partial(evaluate_stream, path, name, **asked))
    wall = time.perf_counter() - start
    return {
        **ours,
        "rows": stream.rows,
        "rows_per_cpu_s": stream.rows / ours["cpu_s"],
        "rows_per_s": stream.rows / wall,
        "scan_cpu_s": bare["cpu_s"],
        "scan_extra_mib": bare["extra_mib"],
        "of_scan": ours["cpu_s"] / bare["cpu_s"],
    }


CASES = {
    "values": lambda: four(1_000_000, 20),
    "intervals": lambda: four(100_000, 20),
    "marginal": lambda: marginal(1_000_000, 20),
    "wide": lambda: wide(1_000_000, 200),
    "ridge": lambda: fitted(100_000, 20, "ridge"),
    "logistic": lambda: fitted(100_000, 20, "logistic"),
    "write": lambda: write(Path(sys.argv[2]), int(sys.argv[3]), 21),
    "parquet": lambda: parquet(Path(sys.argv[2]), int(sys.argv[3])),
}

if __name__ == "__main__":
    report(CASES[sys.argv[1]]())
