"""`campaignrl profile segment` and `campaignrl profile draw`: segments of customers, and customers drawn from them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer

from campaignrl import rng
from campaignrl.cli.terminal import Encoding, Json, Output, Seed, say, say_json, say_table, talk
from campaignrl.errors import UsageError
from campaignrl.profiles.population import LABEL, Fidelity, Population, fit_population
from campaignrl.profiles.population.fidelity import fidelity
from campaignrl.profiles.segments import (
    Drift,
    Segmentation,
    SegmentSpec,
    fit_segments,
    load_segments,
    meanings_of,
    read_segment_spec,
    save_segments,
    segment_spec,
)
from campaignrl.profiles.segments.drift import drift
from campaignrl.profiles.store import keep_segments
from campaignrl.profiles.table import SEGMENT, Facts, check_profiles, read_profiles, read_profiles_file
from campaignrl.tables import ID
from campaignrl.tables.files import write_frame, write_whole

USUAL = "kmeans"  # method that needs nothing but a table
# The smallest file of rules; the first that holds counts.
RULES = '''
method = "rules"
[segments.lapsed]
when = "recency_days > 90"
[segments.regular]
when = "orders >= 6"'''
SHOWN = 12  # rows of a table on the terminal; the rest are counted


def segment(
    profiles: Annotated[Path, typer.Argument(help="Profiles table (Parquet or CSV), or the folder that holds it.")],
    method: Annotated[str, typer.Option(help="rules (with --spec), rfm, kmeans or gmm; default: kmeans.")] = "",
    spec: Annotated[
        Path | None, typer.Option(help="Settings in TOML, or a segments.json made earlier, to find its segments again.")
    ] = None,
    tags: Annotated[str, typer.Option(help="Tags to use, comma between; for rfm recency, frequency, money.")] = "",
    k: Annotated[str, typer.Option(help="Number of learned segments, or auto.")] = "",
    output: Annotated[
        list[Path] | None,
        typer.Option("--output", "-o", help="segments.json (segments), .parquet or .csv (customer_id, segment); both."),
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep them in the folder: a column `segment`, found again at each update.")
    ] = False,
    picture: Annotated[Path | None, typer.Option(help="PNG: sizes, and a heat map of the tags' means.")] = None,
    drift_to: Annotated[
        Path | None, typer.Option("--drift", help="Profiles table of a later date: say what changed.")
    ] = None,
    drift_picture: Annotated[Path | None, typer.Option(help="PNG: who went where.")] = None,
    encoding: Encoding = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Find segments of customers by rules, an RFM grid or clustering; describe them, and say what changed since."""
    from campaignrl.report.figures import (  # matplotlib is slow to import
        heat,
        migration_picture,
        png_bytes,
        segment_picture,
    )

    if drift_picture is not None and drift_to is None:
        raise UsageError("--drift-picture needs the later table: give --drift too.")
    for path in output or []:
        if path.suffix not in (".json", ".parquet", ".csv"):
            raise UsageError(f"{path}: -o takes segments as .json, or labels as .parquet or .csv.")
    table, facts = _table(profiles, keep, encoding)
    chance = rng.generator(seed, rng.Purpose.POPULATION)
    found, population = _segments(table, method, spec, tags, k, chance, meanings_of(facts))
    changed = None if drift_to is None else drift(table, read_profiles(drift_to, encoding=encoding), found)
    _write(output or [], table, found, population)
    _keep(profiles, found, keep)
    if picture is not None:
        drawing = png_bytes(segment_picture(heat(table, found)))
        write_whole(picture, lambda out: _put(out, drawing))
    if drift_picture is not None and changed is not None:
        moves = png_bytes(migration_picture(changed))
        write_whole(drift_picture, lambda out: _put(out, moves))
    if as_json:
        say_json(_as_json(table, found, changed))
        return
    _tell(table, found)
    if changed is not None:
        _tell_drift(changed)


def draw(
    segments: Annotated[Path, typer.Argument(help="segments.json of `campaignrl profile segment`.")],
    output: Output,
    customers: Annotated[int, typer.Option("--customers", "-n", min=1, help="How many customers to draw.")] = 10_000,
    first: Annotated[int, typer.Option(min=0, help="Number of the first one; a number is always the same person.")] = 0,
    shares: Annotated[
        str, typer.Option(help="Shares of the segments, NAME=SHARE with commas; default: as found.")
    ] = "",
    check: Annotated[
        Path | None, typer.Option(help="Profiles table of real customers: say how alike the drawn ones are.")
    ] = None,
    encoding: Encoding = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Draw any number of customers from segments, alike in their tags to those the segments were made of."""
    content = load_segments(segments)
    if content.population is None:
        raise UsageError(f"{segments} holds no population: make it again with `campaignrl profile segment`.")
    frame = content.population.draw(customers, seed, first, _shares(shares))
    alike = None
    if check is not None:
        columns = [ID, *(tag.name for tag in content.population.tags)]
        alike = fidelity(
            read_profiles(check, encoding=encoding), frame[columns], rng.generator(seed, rng.Purpose.RESAMPLE)
        )
    write_frame(frame, output)
    label = content.population.label
    counts = frame[label].value_counts().reindex(list(content.population.names), fill_value=0)
    if as_json:
        facts: dict[str, Any] = {"customers": len(frame), "segments": {n: int(c) for n, c in counts.items()}}
        say_json({**facts, "fidelity": None if alike is None else _fidelity_json(alike), "output": str(output)})
        return
    say(f"{len(frame):,} customers with {len(frame.columns) - 2} tags: {output}")
    rows = [[str(n), f"{c:,}", f"{100 * c / len(frame):.1f} %"] for n, c in counts.items()]
    say_table((label, "customers", "share"), rows)
    if alike is not None:
        _tell_fidelity(alike)


def _segments(
    table: pd.DataFrame,
    method: str,
    spec: Path | None,
    tags: str,
    k: str,
    chance: np.random.Generator,
    meanings: dict[str, str],
) -> tuple[Segmentation, Population]:
    """Those of an earlier file as they are, or new ones with the population they are made of."""
    if spec is not None and spec.suffix == ".json":
        if method or tags or k:
            raise UsageError("segments made earlier stay as they are: leave out --method, --tags and --k.")
        content = load_segments(spec)
        found = content.segmentation
        return found, content.population or fit_population(table, found.codes(table), found.names)
    settings = _settings(method, spec, tags, k)
    found = fit_segments(table, settings, chance, meanings)
    population = fit_population(table, found.codes(table), found.names)
    if population.left_out:
        talk(f"not drawn, since they tell customers apart: {', '.join(population.left_out)}")
    return found, population


def _table(profiles: Path, keep: bool, encoding: str | None) -> tuple[pd.DataFrame, Facts]:
    """The table without what earlier segments of the folder say, and its facts."""
    if keep and not profiles.is_dir():
        raise UsageError(f"{profiles}: --keep needs a profile folder, as `campaignrl profile build` leaves it.")
    table, facts = read_profiles_file(profiles, encoding=encoding)
    if facts.get("tags", {}).get(SEGMENT, {}).get("kind") == "segment":
        table = table.drop(columns=SEGMENT)
    return check_profiles(table, str(profiles)), facts


def _keep(folder: Path, found: Segmentation, keep: bool) -> None:
    if keep:
        keep_segments(folder, found)
        talk(f"kept in {folder}, column `segment`; a world of them: campaignrl calibrate {folder} --segments segment")


def _settings(method: str, spec: Path | None, tags: str, k: str) -> SegmentSpec:
    """The file's settings, with those of the command line over them."""
    if method == "rules" and spec is None:
        raise UsageError(f"rules need a file that holds them: --spec FILE, such as{RULES}")
    given: dict[str, Any] = {} if spec is None else read_segment_spec(spec).model_dump(exclude_unset=True)
    if method or "method" not in given:
        given["method"] = method or USUAL
    if tags:
        given["tags"] = tuple(name.strip() for name in tags.split(",") if name.strip())
    if k and k != "auto" and not k.isdecimal():
        raise UsageError(f"--k {k!r} is not a number of segments, nor auto.")
    if k:
        given["k"] = int(k) if k.isdecimal() else k
    return segment_spec(given, "settings" if spec is None else spec.name)


def _write(outputs: list[Path], table: pd.DataFrame, found: Segmentation, population: Population) -> None:
    for path in outputs:
        if path.suffix == ".json":
            save_segments(path, found, population)
        else:
            write_frame(pd.DataFrame({ID: table[ID].astype(str), LABEL: found.assign(table)}), path)


def _tell(table: pd.DataFrame, found: Segmentation) -> None:
    counts = np.bincount(found.codes(table), minlength=len(found.names))
    say(f"{len(table):,} customers, {len(found.names)} segments by {found.method}. {found.why}".rstrip())
    words = {d.name: d for d in found.descriptions}
    rows = [
        [name, f"{counts[j]:,}", f"{100 * counts[j] / len(table):.1f} %", words[name].says if name in words else ""]
        for j, name in enumerate(found.names)
        if counts[j] > 0 or len(found.names) <= SHOWN
    ]
    hidden = len(rows) - 2 * SHOWN
    say_table(("segment", "customers", "share", "stands out by"), rows[: 2 * SHOWN])
    if hidden > 0:
        say(f"... and {hidden} more segments with customers")
    say("\nA rule that nearly finds each (of those under it, in the segment; of the segment, under it):")
    shown = [d for d in found.descriptions if d.customers > 0][: 2 * SHOWN]
    header = ["segment", "rule", "precision", "recall"]
    told = [[d.name, d.rule, f"{100 * d.precision:.0f} %", f"{100 * d.recall:.0f} %"] for d in shown]
    if any(d.stability is not None for d in shown):
        header.append("recurs")
        told = [[*row, f"{d.stability or 0.0:.2f}"] for row, d in zip(told, shown, strict=True)]
    say_table(header, told)


def _tell_drift(changed: Drift) -> None:
    say("\nWhat changed:")
    order = sorted(changed.tags, key=lambda tag: -tag.psi)
    lines = [tag.says for tag in order if tag.changed][:SHOWN]
    lines += [share.says for share in changed.shares if share.changed][:SHOWN]
    for line in lines or ["nothing beyond chance"]:
        say(f"- {line}")
    came, left = int(changed.new.sum()), int(changed.gone.sum())
    stayed = int(np.trace(changed.migration))
    moved = int(changed.migration.sum()) - stayed
    say(f"{stayed:,} customers stayed in their segment, {moved:,} moved; {came:,} new, {left:,} gone")


def _tell_fidelity(alike: Fidelity) -> None:
    say(f"\nHow alike ({alike.n:,} drawn against {alike.n:,} real; floor: real against real)")
    pairs = [("drawn", alike.score), ("floor", alike.floor)]
    rows = []
    for name, figures in pairs:
        (tag, worst), ((a, b), apart) = figures.worst_marginal, figures.worst_pair
        mean, mean_pair = figures.means
        rows.append([name, f"{mean:.3f}", f"{worst:.3f} {tag}", f"{mean_pair:.3f}", f"{apart:.3f} {a}, {b}"])
        rows[-1].append(f"{figures.auc:.3f}")
    say_table(("", "marginals", "the worst", "pairs", "the worst", "AUC"), rows)


def _as_json(table: pd.DataFrame, found: Segmentation, changed: Drift | None) -> dict[str, Any]:
    counts = np.bincount(found.codes(table), minlength=len(found.names))
    facts = {d.name: d.model_dump(exclude={"name", "customers"}) for d in found.descriptions}
    segments = [
        {"name": name, "customers": int(n), "share": float(n / len(table)), **facts.get(name, {})}
        for name, n in zip(found.names, counts, strict=True)
    ]
    answer = {"customers": len(table), "method": found.method, "why": found.why, "segments": segments}
    answer["tried"] = [candidate.model_dump() for candidate in found.tried]
    if changed is not None:
        answer["drift"] = {
            "tags": [{**tag._asdict(), "changed": tag.changed} for tag in changed.tags],
            "shares": [{**share._asdict(), "changed": share.changed} for share in changed.shares],
            "migration": changed.migration.tolist(),
            "gone": changed.gone.tolist(),
            "new": changed.new.tolist(),
        }
    return answer


def _fidelity_json(alike: Fidelity) -> dict[str, Any]:
    answer: dict[str, Any] = {"n": alike.n}
    for name, figures in (("drawn", alike.score), ("floor", alike.floor)):
        answer[name] = {
            "marginals": figures.marginals,
            "pairs": [{"tags": list(tags), "difference": apart} for tags, apart in figures.pairs.items()],
            "auc": figures.auc,
        }
    return answer


def _shares(text: str) -> dict[str, float] | None:
    if not text.strip():
        return None
    found: dict[str, float] = {}
    for part in text.split(","):
        name, sign, value = part.rpartition("=")
        try:
            found[name.strip()] = float(value)
        except ValueError:
            sign = ""
        if not sign:
            raise UsageError(f"--shares {part.strip()!r} is not NAME=SHARE, as in loyal=0.3,lapsed=0.7.")
    return found


def _put(out: Any, content: bytes) -> None:
    out.write(content)
