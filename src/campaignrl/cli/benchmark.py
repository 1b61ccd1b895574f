"""`campaignrl benchmark` and `campaignrl compare`: policies over many seeds, and the gate for CI.

Thin: read the arguments, call suites/, print.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from campaignrl.cli.terminal import Json, progress, say, say_json
from campaignrl.errors import Problem, UsageError
from campaignrl.report.pages import benchmark_page, trend_page
from campaignrl.suites import ALPHA, CONTRIBUTION, FAIL_ON, Comparison, read_results, to_junit, write_files
from campaignrl.suites import benchmark as run_benchmark
from campaignrl.suites.compare import compare as compare_results
from campaignrl.suites.export import require_mlflow, to_mlflow
from campaignrl.suites.history import (
    Commit,
    accept,
    accepted,
    add_entry,
    ancestors,
    base_for,
    commit_of,
    entries_of,
    folder_name,
    with_accepted,
)
from campaignrl.tables.files import write_whole

History = Annotated[
    Path | None, typer.Option("--history", help="Folder that keeps results by commit, and their trend.")
]
CommitId = Annotated[str | None, typer.Option("--commit", help="Commit of these results; default: git's HEAD here.")]


def benchmark(
    suite: Annotated[str, typer.Argument(help="A bundled suite by name (smoke), or a TOML file.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Results file (JSON), for `compare`.")] = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="Seeds instead of the suite's own number.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes; the results are the same for any number.")] = 1,
    fresh: Annotated[bool, typer.Option("--fresh", help="Play every run again, even finished ones.")] = False,
    history: History = None,
    commit: CommitId = None,
    report: Annotated[Path | None, typer.Option("--report", help="Page (.html): pictures and every measure.")] = None,
    mlflow: Annotated[
        str | None, typer.Option("--mlflow", help="Also write the results to this MLflow: a folder, or a URI.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Play every policy of SUITE in every world, for every seed, on the same customers.

    An interrupted benchmark goes on where it stopped when it is run again with the same -o. With --history, the results
    are kept in that folder under the commit, and its page (SUITE.html) shows what each policy was worth over time.
    """
    if history is None and commit is not None:
        raise UsageError("benchmark --commit needs --history DIR: the folder that keeps results by commit.")
    at = None if history is None else commit_of(commit, besides=history)  # before anything runs
    if mlflow is not None:
        require_mlflow()
    with progress(f"benchmark {suite}") as tell:
        results = run_benchmark(suite, out=output, seeds=seeds, workers=workers, progress=tell, resume=not fresh)
    if report is not None:
        write_files(report.parent, {report.name: benchmark_page(results)})
    if history is not None and at is not None:
        add_entry(history, results, at)
        page = trend_page(entries_of(history, results.suite.name), accepted(history))
        write_files(history, {f"{folder_name(results.suite.name)}.html": page})
    if mlflow is not None:
        to_mlflow(results, mlflow, [] if report is None else [report])
    say(results.to_json().rstrip("\n") if as_json else str(results))


def compare(
    base: Annotated[Path, typer.Argument(help="Results of the version that is known to be good.")],
    candidate: Annotated[Path | None, typer.Argument(help="Results of the version in question.")] = None,
    margin: Annotated[
        list[str] | None,
        typer.Option(
            help="Loss that may pass, as a share: 0.01 is 1 % of the contribution, unsubscribes=0.05 adds a measure "
            "that gates; may be given again."
        ),
    ] = None,
    fail_on: Annotated[str, typer.Option(help="regression, or inconclusive: fail on undecided rows too.")] = FAIL_ON[0],
    policy_base: Annotated[str | None, typer.Option(help="Policy of BASE to stand against.")] = None,
    policy_candidate: Annotated[
        str | None, typer.Option("--policy-cand", "--policy-candidate", help="Policy of CANDIDATE in question.")
    ] = None,
    history: History = None,
    commit: CommitId = None,
    accept_reason: Annotated[
        str | None, typer.Option("--accept", help="Let the regressions of this commit stand, and say why.")
    ] = None,
    as_json: Json = False,
    markdown: Annotated[Path | None, typer.Option(help="Also write a Markdown summary here.")] = None,
    junit: Annotated[Path | None, typer.Option(help="Also write JUnit XML here.")] = None,
) -> None:
    """Say whether CANDIDATE is worse than BASE, beyond chance and beyond the margin.

    A row is a REGRESSION, an improvement, equal within the margin, or inconclusive: then it says how many seeds would
    decide. Exit code 0: no regression shown. 1: a regression. 4: nothing to compare, or an inconclusive row with
    --fail-on inconclusive. With --history and one file, the base is what the folder holds of the nearest earlier
    commit; --accept writes there why a loss stands. To set two policies of one file against each other:
    BASE --policy-base rules --policy-cand lin_ts.
    """
    by_commit = history is not None and candidate is None and policy_base is None and policy_candidate is None
    words: dict[str, Any] = {"margin": _margin(margin), "fail_on": fail_on}
    if by_commit and history is not None:
        found = _with_history(history, base, commit_of(commit), accept_reason, words)
    elif given := [
        w for w, v in (("history", history), ("commit", commit), ("accept", accept_reason)) if v is not None
    ]:
        raise UsageError(f"compare --{given[0]} needs --history DIR and one file: the candidate's results.")
    else:
        found = compare_results(base, candidate, policy_base=policy_base, policy_candidate=policy_candidate, **words)
    for path, text in ((markdown, found.to_markdown()), (junit, to_junit(found))):
        if path is not None:
            content = text.encode()
            write_whole(path, lambda out, content=content: out.write(content))  # type: ignore[misc]
    say_json(found.to_dict()) if as_json else say(str(found))
    raise typer.Exit(found.exit_code)


def _with_history(history: Path, candidate: Path, at: Commit, reason: str | None, words: dict[str, Any]) -> Comparison:
    """The candidate against the nearest earlier commit; what was accepted for this commit stands."""
    results = read_results(candidate)
    suite, entry = results.suite.name, base_for(history, results.suite.name, ancestors(at))
    if entry is None:
        why = f"{history} holds no results of {suite} at a commit before {at.short}."
        return Comparison((), results.suite.compare.margin, ALPHA, str(history), candidate.name, refused=why)
    found = replace(compare_results(entry.results, candidate, **words), base=f"{suite} at {entry.commit.short}")
    notes = [f"The base is {entry.commit.short} {entry.commit.said}."] if entry.commit.changed else []
    if reason is not None and not accept(
        history, suite, at, with_accepted(found, suite, at, accepted(history)), reason
    ):
        notes.append("Nothing was accepted: no row is a regression that does not stand already.")
    return with_accepted(replace(found, notes=(*found.notes, *notes)), suite, at, accepted(history))


def _margin(given: list[str] | None) -> dict[str, float] | None:
    """`0.01` is the contribution's, `MEASURE=0.05` another measure's."""
    found = {}
    for text in given or []:
        name, _, number = text.rpartition("=")
        try:
            found[name or CONTRIBUTION] = float(number)
        except ValueError:
            fix = "Write 0.01 for 1 %, or MEASURE=0.05."
            raise UsageError(Problem("compare", "--margin", text, "a number, or MEASURE=NUMBER", fix)) from None
    return found or None
