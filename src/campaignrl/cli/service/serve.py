"""`campaignrl serve`: answer decisions over HTTP until it is told to stop.

Not here: the service (service/), its store's verbs (store.py).
"""

from __future__ import annotations

import json
import logging
import math
from pathlib import Path
from typing import Annotated, Any

import typer

from campaignrl.cli.inputs import day_of
from campaignrl.cli.terminal import Json, Seed, say, say_json, talk
from campaignrl.errors import Problem, UsageError
from campaignrl.ledger import Ledger
from campaignrl.policies import load_policy, read_manifest
from campaignrl.send import clock_time
from campaignrl.specs import load_world

SOURCE = typer.Argument(help="Folder of a campaign; or a policy: bundle, bundled name.", metavar="FOLDER|POLICY")
PROFILES, LEDGER = Path("profiles") / "profiles.parquet", "ledger"


def serve(
    source: Annotated[str, SOURCE],
    world: Annotated[
        str | None, typer.Option("--world", "-w", help="World whose rules hold; a folder has one.")
    ] = None,
    store: Annotated[str, typer.Option(help="sqlite:///FILE or postgresql://USER@HOST/NAME.")] = "sqlite:///service.db",
    customers: Annotated[
        Path | None, typer.Option("--customers", "-c", help="Table of customers, taken in at the start.")
    ] = None,
    ledger: Annotated[
        Path | None, typer.Option(help="Ledger that the store flows into; it begins by what stands there.")
    ] = None,
    policies: Annotated[Path | None, typer.Option(help="Folder of the bundles that may be promoted.")] = None,
    fallback: Annotated[str, typer.Option(help="Policy that decides where the champion fails or is slow.")] = "none",
    seed: Seed = 0,
    many: Annotated[
        int | None, typer.Option("--for", help="Whom budget and capacity are for; default: the table's.")
    ] = None,
    start: Annotated[str | None, typer.Option(help="First day of the campaign, YYYY-MM-DD; default: today.")] = None,
    send_at: Annotated[str | None, typer.Option(help="When sends go out, as 09:30, in the world's zone.")] = None,
    prices: Annotated[
        Path | None, typer.Option(help="Plan by value at whose prices the champion decides; default: the ledger's.")
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, help="Port; 0: any that is free.")] = 8080,
    workers: Annotated[int, typer.Option(min=1, help="Processes over the one store.")] = 1,
    rate: Annotated[
        float | None, typer.Option(help="Requests a second for each token; default: without limit.")
    ] = None,
    policy_seconds: Annotated[float, typer.Option(help="How long the champion may take.")] = 1.0,
    no_tokens: Annotated[
        bool, typer.Option("--no-tokens", help="Let everybody in; for trials on this machine.")
    ] = False,
    check: Annotated[bool, typer.Option("--check", help="Open everything, say so, and end.")] = False,
    openapi: Annotated[bool, typer.Option("--openapi", help="Print the OpenAPI description, and end.")] = False,
    as_json: Json = False,
) -> None:
    """Answer decisions over HTTP, by the guard, the policies and the ledger of `campaignrl decide`."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    if no_tokens and host not in ("127.0.0.1", "::1", "localhost"):
        fix = "Make a token: campaignrl store token STORE NAME --role sender."
        raise UsageError(Problem("serve", "--no-tokens", f"at {host}", "used on this machine alone", fix))
    told = _told(source, world, customers, ledger, policies)
    told |= {"store": store, "fallback": fallback, "seed": seed, "policy_seconds": policy_seconds}
    told |= {"per_second": math.inf if rate is None else rate, "open_without_token": no_tokens}
    told |= {"prices": prices}
    told |= {"send_at": clock_time(send_at) or told.get("send_at")}
    told |= {"horizon_customers": many or told.get("horizon_customers")}
    if start is not None:
        told["start"] = day_of(start, "--start")
    _run(told, host, port, workers, check, openapi, as_json)


def _run(told: dict[str, Any], host: str, port: int, workers: int, check: bool, openapi: bool, as_json: bool) -> None:
    from campaignrl.service import Service, Settings, create_app, flow, listen, serve  # an extra, and slow to import

    ledger = told.pop("ledger", None)
    settings = Settings(**told, ledger=None if ledger is None else ledger.folder)
    service = Service.begin(settings)
    if ledger is not None:
        flow(service.store, ledger, settings.world, settings.clock())
    if openapi:
        say(json.dumps(create_app(settings, service).openapi(), indent=1, sort_keys=True))
        return
    parties = service.decider.parties
    facts: dict[str, Any] = {
        "world": settings.world.name,
        "policy": None if parties.champion is None else parties.champion.name,
        "fallback": parties.fallback.name,
        "customers": len(service.decider.customers),
        "store": service.store.database.shown,
        "workers": workers,
    }
    if check:
        facts["wrong"] = service.ready()
        service.decider.close()
        service.store.close()
        if as_json:
            say_json(facts)
        else:
            for name, value in facts.items():
                say(f"{name:<10} {value}")
        if facts["wrong"]:
            raise typer.Exit(1)
        return
    place = listen(host, port)
    address = f"http://{host}:{place.getsockname()[1]}"
    say_json({**facts, "address": address}) if as_json else talk(f"{facts['policy']} decides at {address}")
    serve(settings, place, workers, service)


def _told(
    source: str, world: str | None, customers: Path | None, ledger: Path | None, policies: Path | None
) -> dict[str, Any]:
    """What the source says, as settings."""
    folder = Path(source)
    if (folder / "campaign.toml").is_file():
        return _of_campaign(folder, world, customers, ledger, policies)
    if world is None and folder.is_file():
        world = read_manifest(folder).get("trained_on", {}).get("world")
    if world is None:
        raise UsageError(Problem("serve", "--world", "left out", "given beside a policy", "Add --world ecommerce."))
    rules = load_world(world)
    load_policy(source, rules)
    told = {"world": rules, "policy": source, "customers": customers, "policies": policies}
    return told | _of_ledger(ledger)


def _of_ledger(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    found = Ledger.open(path)
    more = {"salt": found.salt, "start": found.start, "horizon_customers": found.customers}
    return {"ledger": found, **more}


def _of_campaign(
    folder: Path, world: str | None, customers: Path | None, ledger: Path | None, policies: Path | None
) -> dict[str, Any]:
    from campaignrl.loop import CampaignFile, campaign_policy  # slow to import, and only campaigns need it

    if world is not None:
        raise UsageError(Problem("serve", "--world", world, "left out: the campaign has its own"))
    campaign = CampaignFile(folder)
    table = folder / PROFILES if customers is None else customers
    if not table.is_file():
        fix = f"Make it: campaignrl today {folder}."
        raise UsageError(Problem("serve", "customers", str(table), "made already", fix))
    told = {"world": campaign.world, "policy": str(campaign_policy(campaign)), "customers": table, "campaign": folder}
    told |= {"policies": policies or folder, "send_at": clock_time(campaign.spec.sends.at)}
    return told | _of_ledger(ledger or folder / LEDGER)
