"""`campaignrl evaluate`: what a policy would earn, from a log; exit code 4 where the log cannot say."""

from __future__ import annotations

import math
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import pandas as pd
import typer

from campaignrl.cli.inputs import Inputs, policy_name
from campaignrl.cli.terminal import Encoding, Json, Seed, progress, say, say_json, say_table, talk
from campaignrl.cli.terminal import evaluate_options as opt
from campaignrl.errors import SupportError, UsageError
from campaignrl.ope.comparison import Breakdown, Comparison, breakdown, compare_many_on_log
from campaignrl.ope.data import LOGGED, TABLES
from campaignrl.ope.episodes import SEQUENTIAL
from campaignrl.ope.evaluate import evaluate as evaluate_policy
from campaignrl.ope.intervals import Estimate
from campaignrl.ope.methods import AUTO, ESTIMATORS, FIXED, INTERVALS, USUAL, Evaluation
from campaignrl.ope.streaming import STREAMED, evaluate_stream
from campaignrl.tables import read_log
from campaignrl.tables.files import read_frame
from campaignrl.tables.log import DecisionLog

REFUSED = "refuse"


def evaluate(
    log: opt.Log,
    policy: opt.Policies,
    mapping: opt.Mapping = None,
    reward: opt.Reward = None,
    estimator: opt.Estimators = "usual",
    model: opt.Model = "ridge",
    tuning: opt.Tuning = FIXED,
    logging: opt.Logging = None,
    against: opt.Against = LOGGED,
    mix: opt.Mix = 1.0,
    reward_range: opt.RewardRange = None,
    interval: opt.Interval = INTERVALS[0],
    horizon: opt.Horizon = None,
    discount: opt.Discount = 1.0,
    by: opt.By = None,
    risk: opt.Risk = False,
    robust: opt.Robust = False,
    learned_on: opt.LearnedOn = None,
    stream: opt.Stream = False,
    workers: opt.Workers = 1,
    report: opt.Report = None,
    encoding: Encoding = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Value POLICY on a recorded LOG of another policy's decisions, and say how sure that is."""
    whole = {
        "mapping": mapping,
        "reward": reward,
        "by": by,
        "risk": risk or None,
        "robust": robust or None,
        "learned-on": learned_on,
    }  # what a stream does not have
    inputs = Inputs()
    span = inputs.read(lambda: _range(reward_range))
    names = _estimators(estimator, stream)
    for each in (*policy, against):
        inputs.read(lambda each=each: each if each == LOGGED else _named(each))  # type: ignore[misc]
    more: dict[str, Any] = {
        "tuning": tuning,
        "logging": logging,
        "interval": interval,
        "horizon": horizon,
        "discount": discount,
    }
    if stream:
        inputs.read(lambda: _refuse_beside_stream({**more, **whole}))
    inputs.read(lambda: _refuse_together(policy, names, bool(by or risk), mix, stream))
    table = inputs.read(lambda: None if stream else read_log(log, mapping, reward=reward, encoding=encoding))
    taught = inputs.read(lambda: None if learned_on is None else _taught(learned_on, mapping, reward, encoding))
    inputs.check()
    asked: dict[str, Any] = {"estimators": names, "reference": _given(against, encoding), "mix": mix, "model": model}
    asked |= {"reward_range": span.value, "seed": seed}
    further = None
    with progress("evaluate"):
        given = {name: _given(name, encoding) for name in policy}
        if table.value is None:
            found = [evaluate_stream(log, policy[0], workers=workers, spread=report is not None, **asked)]
        else:
            found = [
                evaluate_policy(table.value, each, learned_on=taught.value, robust=robust, **asked, **more)
                for each in given.values()
            ]
            further = _further(table.value, given[policy[0]], by or [], risk, asked) if by or risk else None
        compared = _compared(table.value, given, asked) if len(found) > 1 and table.value is not None else ()
    _write_report(report, found, further)
    if compared:
        _answer_of_several(found, compared, against, as_json)
    elif as_json:
        say_json(found[0].to_dict() | ({} if further is None else further.to_dict()))
    else:
        say(str(found[0]) if further is None else f"{found[0]}\n\n{further}")
    if all(each.verdict == REFUSED for each in found):
        raise typer.Exit(SupportError.exit_code)


def _taught(log: Path | None, mapping: Path | None, reward: str | None, encoding: str | None) -> DecisionLog | None:
    return None if log is None else read_log(log, mapping, reward=reward, encoding=encoding)


def _compared(log: DecisionLog, given: dict[str, Any], asked: dict[str, Any]) -> tuple[Comparison, ...]:
    """Each policy less the reference; the intervals hold together, so the best of many does not win by chance."""
    words = {name: asked[name] for name in ("model", "reward_range", "seed")}
    return compare_many_on_log(log, given, asked["reference"], **words)


def _answer_of_several(
    found: Sequence[Evaluation], compared: Sequence[Comparison], against: str, as_json: bool
) -> None:
    """A row a policy, or one object that lists them."""
    rows, facts = [], []
    shown = "dr" if "dr" in found[0].estimates else next(iter(found[0].estimates))
    for valued, (name, apart, p, adjusted, said) in zip(found, compared, strict=True):
        lift = {field: None if math.isnan(value) else value for field, value in _figures(apart).items()}
        known = {"lift": lift, "p_value": p, "adjusted_p": adjusted, "conclusion": str(said)}
        facts.append(valued.to_dict() | {"policy": name, "compared": known})
        figures = "-" if math.isnan(apart.value) else f"{apart.value:+.4g} [{apart.ci_low:+.4g}, {apart.ci_high:+.4g}]"
        rows.append(
            (name, f"{valued.estimates[shown].value:.4g}", figures, f"{adjusted:.3g}", str(said), valued.verdict)
        )
    if as_json:
        say_json({"against": against, "correction": "bonferroni", "policies": facts})
        return
    say(f"{found[0].reward} {found[0].per}, from {found[0].n:,} decisions; intervals of lifts hold together\n")
    say_table(("policy", shown, f"over {against}", "p, adjusted", "so it is", "trust"), rows)


def _figures(apart: Estimate) -> dict[str, float]:
    return {"value": apart.value, "std_error": apart.std_error, "ci_low": apart.ci_low, "ci_high": apart.ci_high}


def _write_report(path: Path | None, found: Sequence[Evaluation], further: Breakdown | None) -> None:
    if path is None:
        return
    page = import_module("campaignrl.report.html")  # draws: only where it is asked for
    title = f"What {', '.join(each.policy for each in found)} would earn"
    parts = {} if further is None else further.parts
    content = page.ReportContent(title=title, evaluations=tuple((each, None) for each in found), parts=parts)
    page.write_report(path, content)
    talk(f"report: {path}")


def _named(text: str) -> str:
    """The same words, if a policy, a table of probabilities or the logged policy goes by them."""
    return text if text == LOGGED or text.endswith(TABLES) else policy_name(text)


def _given(text: str, encoding: str | None) -> str | pd.DataFrame:
    """The policy's name, or its table of probabilities where that is a CSV of a stated encoding."""
    if encoding is None or text == LOGGED or not text.endswith(TABLES):
        return text
    return read_frame(text, text=("decision_id",), encoding=encoding)


def _estimators(words: str, stream: bool) -> tuple[str, ...]:
    if stream and AUTO in words.split(","):
        raise UsageError("--estimator auto looks at the whole log at once: drop --stream, or name an estimator.")
    named = {"all": STREAMED if stream else tuple(ESTIMATORS), "usual": USUAL}
    return named.get(words) or tuple(words.split(","))


def _further(
    log: DecisionLog, policy: str | pd.DataFrame, by: list[str], risk: bool, asked: dict[str, Any]
) -> Breakdown:
    """What was asked beside the value."""
    words = {name: asked[name] for name in ("reference", "mix", "model", "reward_range", "seed")}
    return breakdown(log, policy, by=by, risk=risk, **words)


def _refuse_together(policies: Sequence[str], names: Sequence[str], parts: bool, mix: float, stream: bool) -> None:
    """UsageError for what cannot be asked in one call."""
    episodes = set(names) & set(SEQUENTIAL)
    if parts and episodes:
        raise UsageError("--by and --risk are about single decisions, not whole episodes: drop one.")
    if len(set(policies)) < len(policies):
        raise UsageError("--policy names the same policy twice: name each once.")
    if len(policies) > 1 and (parts or episodes or mix != 1.0 or stream):
        raise UsageError(
            "several policies are compared by single decisions of a whole log: "
            "drop --by, --risk, --mix, --stream and estimators of episodes, or give one --policy."
        )


def _refuse_beside_stream(words: dict[str, Any]) -> None:
    """UsageError for what takes the whole log at once."""
    usual = {"tuning": FIXED, "interval": INTERVALS[0], "discount": 1.0}
    given = [f"--{name}" for name, value in words.items() if value != usual.get(name)]
    if given:
        raise UsageError(f"{', '.join(given)} and --stream do not go together: drop one.")


def _range(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        raise UsageError(f"--reward-range {text!r} is not LOW,HIGH; write 0,1 for rewards from 0 to 1.") from None
    return low, high
