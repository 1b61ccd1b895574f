"""`campaignrl world`: which worlds there are, what is in one, and every mistake in a file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from campaignrl.cli.terminal import Customers, Json, Output, Seed, progress, say, say_json, say_table, talk
from campaignrl.cli.world_features import features
from campaignrl.errors import Problem, UsageError
from campaignrl.report.facts import WorldFacts, world_facts
from campaignrl.specs import World, bundled_files, load_world
from campaignrl.tables.files import write_frame, write_whole

if TYPE_CHECKING:
    from campaignrl.calibration import RealismTable
    from campaignrl.calibration.published import Row

world = typer.Typer(
    help="List, show and check worlds.", no_args_is_help=True, rich_markup_mode=None, add_completion=False
)

BARS = "▁▂▃▄▅▆▇█"
SOURCE = 9  # signs of a source's key; the whole of it stands in --json and in docs/worlds.md
world.command()(features)

LIES = {"inside": "in", "outside": "out", "known miss": "miss"}


@world.command(name="list")
def list_worlds(as_json: Json = False) -> None:
    """The bundled worlds, each with a sentence."""
    titles = {name: load_world(name).title for name in bundled_files("envs")}
    if as_json:
        say_json(titles)
    else:
        say_table(("world", "what it is"), list(titles.items()))


@world.command()
def show(
    name: Annotated[str, typer.Argument(help="Bundled world or path of a TOML file.")],
    output: Annotated[Path | None, Output.__metadata__[0]] = None,
    plot: Annotated[bool, typer.Option("--plot", help="Draw it: runs/worlds/NAME.png, or -o FILE.png|html.")] = False,
    customers: Customers = 5_000,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Who the customers are, how far a message gets, how soon it wears out, and the days with nothing sent."""
    found = load_world(name)
    target = output or (Path("runs/worlds") / f"{found.name}.png" if plot else None)
    if target is not None and target.suffix not in (".png", ".html"):
        raise UsageError(Problem("world show", "output", str(target), "a file that ends in .png or .html"))
    facts = world_facts(found, customers, seed)
    if target is not None:
        from campaignrl.report.figures import png_bytes, world_figure, world_page  # matplotlib is slow to import

        page = world_page(facts).encode() if target.suffix == ".html" else png_bytes(world_figure(facts))
        write_whole(target, lambda file: _write(file, page))
        talk(f"picture written to {target}")
    if as_json:
        say_json(_as_json(facts))
    else:
        _say_facts(facts)


@world.command()
def check(
    file: Annotated[Path, typer.Argument(help="A world's TOML file; with --realism also a bundled name.")],
    realism: Annotated[
        bool, typer.Option("--realism", help="Hold what the world does against published figures of its business.")
    ] = False,
    customers: Customers = 20_000,
    seed: Seed = 0,
    output: Annotated[Path | None, Output.__metadata__[0]] = None,
    as_json: Json = False,
) -> None:
    """Every mistake in a world's file at once; exit code 3 if there is any.

    With --realism: opens, orders, churn, price effects and more beside their published bands, docs/worlds.md; exit
    code 1 if one of a business lies outside and the file does not name it in [known_misses]. Takes about a minute.
    """
    found = load_world(file)
    if realism:
        from campaignrl.calibration import realism_table  # slow to import

        with progress(f"realism {found.name}") as step:
            table = realism_table(found, customers=customers, seed=seed, progress=step)
        _say_realism(table, output, as_json)
        if table.outside:
            raise typer.Exit(1)
    elif output is not None or as_json:
        raise UsageError("world check: --output and --json belong to --realism.")
    else:
        say(f"{file}: fine. {len(found.segments)} segments, {len(found.catalog)} actions, {found.horizon} days.")


def _write(file: BinaryIO, page: bytes) -> None:
    file.write(page)


def _say_facts(facts: WorldFacts) -> None:
    found = facts.world
    say(f"{found.name}: {found.title}")
    say(f"{found.horizon} days, {len(found.catalog)} actions, money in {found.money.currency}\n")
    say_table(
        ("segment", "share", "orders a month", "basket", "margin", "stays, days", "price sensitivity", "who they are"),
        [
            (
                s.name,
                f"{s.share:.0%}",
                f"{s.orders_a_month:.2f}",
                f"{s.basket:g}",
                f"{s.margin:.0%}",
                f"{s.lifetime_days:g}",
                f"{s.price_sensitivity:.2f}",
                s.says,
            )
            for s in facts.segments
        ],
    )
    say_table(
        ("channel", "cost", "consent", "delivered", "opened", "clicked", "opened after 7 daily", "unsubscribe"),
        [
            (
                c.name,
                f"{c.cost:g}",
                f"{c.consent:.0%}",
                f"{c.delivered:.0%}",
                f"{c.opened:.1%}",
                f"{c.clicked:.2%}",
                f"{c.opens_by_messages[-1]:.1%}",
                f"{c.unsubscribes_by_messages[0]:.2%}",
            )
            for c in facts.channels
        ],
        title="\nshares of messages, to a rested customer",
    )
    offers = [(n, o.kind, o.title, ", ".join(o.channels), o.only_if or "everybody") for n, o in found.offers.items()]
    say("")
    say_table(("offer", "kind", "what it is", "channels", "who may get it"), offers)
    ways = [(n, "creative", c.title, f"format {c.format or n}") for n, c in found.creatives.items()]
    ways += [(n, "slot", s.title, f"{s.hours[0]:g} to {s.hours[1]:g} o'clock") for n, s in found.slots.items()]
    if ways:
        say("")
        say_table(("way", "of", "what it is", "details"), ways)
    say(f"\n{_rules(found)}\n\n{_quiet(facts)}")


def _rules(found: World) -> str:
    """The guard's caps, capacities, stocks, budget and holdout in one sentence; `guard explain` says all."""
    said = [cap.said.removeprefix("cap: ") for cap in found.guard.caps]
    for name, channel in found.channels.items():
        if channel.capacity is not None:
            per_day = channel.capacity.sends_per_day_per_1000_customers
            said.append(f"{per_day:g} a day by {name} for 1,000 customers")
    said += [f"{offer.stock:,} sends of {name}" for name, offer in found.offers.items() if offer.stock is not None]
    if found.guard.budget is not None:
        said.append(
            f"{found.guard.budget.amount_per_1000_customers:g} {found.money.currency} for 1,000 customers in all"
        )
    if found.guard.holdout:
        said.append(f"{found.guard.holdout:.0%} of customers are never contacted")
    return f"At most: {'; '.join(said)}." if said else "No caps, budget or holdout."


def _quiet(facts: WorldFacts) -> str:
    """With nothing sent: a bar a week, and what a customer does over the horizon."""
    weeks = [float(facts.revenue[i : i + 7].mean()) for i in range(0, len(facts.revenue), 7)]
    top = max(weeks) or 1.0
    bars = "".join(BARS[round(week / top * (len(BARS) - 1))] for week in weeks)
    orders, (start, end) = facts.orders, facts.active
    return (
        f"With nothing sent: {orders:.2f} orders a customer; {start:.0%} active at the start, {end:.0%} at the end.\n"
        f"Revenue a day by week, 1,000 customers: {bars} {min(weeks):,.0f} to {top:,.0f} {facts.world.money.currency}"
    )


def _as_json(facts: WorldFacts) -> dict[str, Any]:
    catalog = facts.world.catalog
    return {
        "world": facts.world.model_dump(mode="json"),
        "actions": list(catalog.names),
        "catalog_hash": catalog.hash,
        "segments": [s._asdict() for s in facts.segments],
        "channels": [
            {k: v.tolist() if hasattr(v, "tolist") else v for k, v in c._asdict().items()} for c in facts.channels
        ],
        "nothing_sent": {
            "customers": facts.customers,
            "orders_per_customer": facts.orders,
            "active": list(facts.active),
            "revenue_per_day_per_1000_customers": facts.revenue.tolist(),
        },
    }


def _say_realism(table: RealismTable, output: Path | None, as_json: bool) -> None:
    """The answer on stdout, and the table as a file if asked for."""
    if output is not None:
        write_frame(table.frame(), output)
        talk(f"table written to {output}")
    if as_json:
        say(table.to_json())
        return
    judged = [row for row in table.rows if row.verdict != "not judged"]
    say(f"{table.world} as a {table.business.replace('_', ' ')}; {table.customers:,} customers, seed {table.seed}\n")
    shown = judged or table.rows
    say_table(("figure", "measured", "band", "source", "", "lies"), [_realism_cells(row) for row in shown])
    for row in judged:
        if row.verdict == "known miss":
            say(f"\nknown miss: {row.figure}: {row.reason}")
    say(f"\n{_realism_summary(table, judged)}")


def _realism_cells(row: Row) -> tuple[str, str, str, str, str, str]:
    half = (row.ci_high - row.ci_low) / 2.0
    measured = f"{_short(row.measured)} ±{_short(half, 1)}" if row.measured == row.measured else "none"
    if row.low != row.low:
        return row.figure, measured, "", "", "", ""
    key = re.split(r"[,; ]", row.source)[0][:SOURCE]
    return row.figure, measured, f"{_short(row.low)}-{_short(row.high)}", key, row.sure, LIES.get(row.verdict, "")


def _short(value: float, digits: int = 3) -> str:
    """`.0012` for 0.0012: six columns in 80 signs leave no room for noughts."""
    return re.sub(r"^(-?)0\.", r"\1.", f"{value:.{digits}g}")


def _realism_summary(table: RealismTable, judged: list[Row]) -> str:
    if not judged:
        return "A study world claims to be no business: its figures are shown, none is judged."
    inside = sum(row.verdict == "inside" for row in judged)
    from campaignrl.calibration.published import GUESSES

    guessed = sum(row.sure in GUESSES for row in judged)
    return (
        f"{inside} of {len(judged)} figures inside their band, {len(judged) - inside - len(table.outside)} known "
        f"misses, {len(table.outside)} outside. {guessed} bands are guesses [M], [D]; "
        f"{len(table.rows) - len(judged)} more figures have none (--json)."
    )
