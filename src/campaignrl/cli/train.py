"""`campaignrl train`: teach a learner from a log or in a world, and save it as a bundle."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from campaignrl.cli.inputs import Inputs, policy_name
from campaignrl.cli.terminal import Encoding, Json, Output, Seed, Threads, progress, say_json, say_table, talk
from campaignrl.errors import UsageError
from campaignrl.policies import PROOF, Policy, Standing, copy_of, save_bundle, skipped
from campaignrl.policies.deep import WorldLearner, thinned
from campaignrl.proof import proof_of_training, refuse_unsupported
from campaignrl.specs import World, lent_responses, load_world
from campaignrl.tables import read_log
from campaignrl.tables.log import FACT, CustomerSketch, DecisionLog, sketch_of
from campaignrl.training import CUSTOMERS, ready_learner
from campaignrl.training import train as train_policy


def train(
    policy: Annotated[str, typer.Argument(help="Learner: a bundled name, a spec file, or a bundle to learn on.")],
    output: Output,
    world: Annotated[str | None, typer.Option("--world", "-w", help="World to learn in.")] = None,
    log: Annotated[Path | None, typer.Option("--log", "-l", help="Decision log to learn from.")] = None,
    mapping: Annotated[Path | None, typer.Option(help="Mapping TOML of a foreign log.")] = None,
    customers: Annotated[
        int | None,
        typer.Option("--customers", "-n", min=1, help="Customers of a round; default: 20,000, or the learner's own."),
    ] = None,
    rounds: Annotated[
        int | None,
        typer.Option(min=1, help="Campaigns to learn from in a world; default: 1, or the learner's own."),
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Customer-days to learn from in a world, instead of --customers.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from OUTPUT.checkpoint, if a training was interrupted there.")
    ] = False,
    tensorboard: Annotated[Path | None, typer.Option(help="Folder for TensorBoard, which must be installed.")] = None,
    warm_start: Annotated[
        str | None, typer.Option("--warm-start", help="Bundle of rollout that a deep learner begins from.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option("--report", help="Page (.html) of what it has learned; its picture beside it.")
    ] = None,
    encoding: Encoding = None,
    proof: Annotated[
        bool,
        typer.Option(
            "--proof/--no-proof",
            help="Hold it at the end against sending nothing, business as usual and the best fixed action.",
        ),
    ] = True,
    require_better: Annotated[
        bool, typer.Option("--require-better", help="Exit code 1 where it is not shown to be better than these.")
    ] = False,
    seed: Seed = 0,
    threads: Threads = None,
    as_json: Json = False,
) -> None:
    """Teach POLICY from a decision log (--log) or in a simulated world (--world) and write a bundle.

    Learners from logs (lin_ts, dr_greedy) are taught by campaigns in a world; deep ones (maskable_ppo, dqn) act in it
    themselves, and keep a checkpoint beside OUTPUT until they are done. The bundle notes how the policy stands against
    sending nothing, business as usual and the best fixed action, and `decide` warns where it is not shown to be better.
    A log that cannot answer for a learner of what follows for weeks (fitted_q, cql) is refused, with the reason.
    """
    if require_better and not proof:
        raise UsageError("--require-better needs the proof that --no-proof leaves out.")
    name, source = _inputs(policy, world, log, mapping, encoding)
    learner = ready_learner(name, source, seed)
    began = copy_of(learner) if proof else None
    kept = output.with_name(f"{output.name}.checkpoint")
    words: dict[str, Any] = {"customers": customers, "rounds": rounds, "steps": steps, "seed": seed}
    words |= {"threads": threads, "resume": resume, "tensorboard": tensorboard, "warm_start": warm_start}
    if isinstance(learner, WorldLearner) and world is not None:
        words["checkpoint"] = kept
    _teach(learner, source, policy, words)
    facts = _facts(learner, source, (log or Path()).name or world or "", seed, customers or CUSTOMERS)
    standing = None if began is None else proof_of_training(learner, began, source, seed)
    refuse_unsupported(learner, standing)
    facts[PROOF] = skipped() if standing is None else standing.to_dict()
    save_bundle(learner, output, facts)
    if "checkpoint" in words:
        kept.unlink(missing_ok=True)
    if report is not None:
        written = import_module("campaignrl.report.pages.training").training_report(learner, source, report, seed=seed)
        talk(f"report: {written['report']}")
    if as_json:
        for long in ("curve", FACT):  # they are in the bundle
            facts.pop(long, None)
        said = {"policy": learner.name, "kind": learner.kind, "bundle": str(output), **facts}
        say_json(said | ({"report": str(report)} if report else {}))
    for line in getattr(learner, "told", ()):
        talk(line)
    if standing is not None:
        _say_standing(standing, as_json)
        _say_world(standing, learner, source, f"campaignrl train rollout --world {world} -o {output}")
    talk(f"{learner.name}: trained, saved as {output}")
    if require_better and standing is not None and not standing.is_better:
        raise typer.Exit(1)


def _teach(learner: Policy, source: World | DecisionLog, name: str, words: dict[str, Any]) -> None:
    """Train with a bar; who interrupts is told how to go on."""
    try:
        with progress(f"train     {name}") as step:
            train_policy(learner, source, **words, progress=step)
    except KeyboardInterrupt:
        if "checkpoint" in words and words["checkpoint"].exists():
            talk("The same words with --resume go on from where it was.")
        raise


def _say_world(standing: Standing, learner: Policy, source: World | DecisionLog, far_sighted: str) -> None:
    """What gains in a world rest on, and what may help where they are not shown. far_sighted: a command."""
    if not isinstance(source, World):
        return
    lender = lent_responses(source.provenance)
    if lender:
        talk(f"what a send brings in this world is lent from {lender}, not measured: so far these gains are guesses.")
    if not standing.is_better and not isinstance(learner, WorldLearner):
        talk(f"{learner.name} learns from what follows a send within {source.outcome_days} days.")
        talk(f"To count what comes later too: {far_sighted}")


def _say_standing(standing: Standing, as_json: bool) -> None:
    """The gains over each baseline, line by line, and what is not shown."""
    title = f"against ({standing.on}{', verdict ' + standing.verdict if standing.verdict else ''})"
    rows = [[name, *(f"{figure:+.4g}" for figure in gain)] for name, gain in standing.over.items()]
    if rows and not as_json:
        say_table((title, f"gain, {standing.unit}", "from", "to (95 %)"), rows)
    for doubt in standing.doubts:
        talk(doubt)


def _inputs(
    policy: str, world: str | None, log: Path | None, mapping: Path | None, encoding: str | None
) -> tuple[str, World | DecisionLog]:
    """The learner's name, and what it learns from; all that is wrong with them is said at once."""
    if (world is None) == (log is None):
        raise UsageError("give either --world WORLD or --log LOG, to say what to learn from.")

    def read() -> World | DecisionLog:
        return load_world(world) if world is not None else read_log(log or Path(), mapping, encoding=encoding)

    inputs = Inputs()
    named, source = inputs.read(lambda: policy_name(policy, world)), inputs.read(read)
    inputs.check()
    return named.value, source.value


def _sketch(log: DecisionLog, before: dict[str, Any]) -> dict[str, Any]:
    """Whom it has learned from, now and before."""
    found = sketch_of(log)
    return (found.joined(CustomerSketch.from_dict(before[FACT], "bundle")) if FACT in before else found).to_dict()


def _facts(learner: Policy, source: World | DecisionLog, name: str, seed: int, customers: int) -> dict[str, Any]:
    """What a bundle says of its training; of a file its name only: the same file gives the same bytes."""
    before = dict(getattr(learner, "trained_on", {}))  # of the bundle it went on from
    if isinstance(source, DecisionLog):
        return {"log": name, FACT: _sketch(source, before)}
    facts: dict[str, Any] = {"world": Path(name).name, "seed": str(seed)}
    facts |= {FACT: before[FACT]} if FACT in before else {}
    if not isinstance(learner, WorldLearner):
        return facts | {"customers": str(customers)}
    found = getattr(learner, "facts", {})  # of one that writes a report of its training
    facts |= {"report": found} if found else {}
    return facts | {"steps": learner.curve[-1].steps, "curve": [list(m) for m in thinned(learner.curve)]}
