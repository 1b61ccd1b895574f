"""`campaignrl serve` and `campaignrl store` as an operator calls them; what `deploy/` says they take; learning."""

import datetime
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
from service_face import Face, frame_of, world_of

import campaignrl as crl
from campaignrl.cli import main as cli
from campaignrl.ledger import Ledger
from campaignrl.service import Store, learn_once
from campaignrl.service.store import places

DEPLOY = Path(__file__).resolve().parents[1] / "deploy"
DAY = datetime.date(2026, 11, 21)


def call(monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["campaignrl", *words])
    try:
        cli.main()
    except SystemExit as end:
        return int(str(end.code or 0))
    return 0


def test_it_serves_from_a_strange_place(tmp_path):
    """No HOME, an old locale, blanks and signs in the path, no terminal."""
    place = tmp_path / "Tee & Кофе 茶"
    place.mkdir()
    frame_of(world_of(), 20).to_csv(place / "клиенты.csv", index=False)
    env = {k: v for k, v in os.environ.items() if k != "HOME"} | {"LC_ALL": "C", "LANG": "C"}
    words = ["serve", "uniform", "-w", "tight_budget", "-c", "клиенты.csv", "--check", "--json"]
    command = [sys.executable, "-m", "campaignrl", *words]
    done = subprocess.run(command, cwd=place, env=env, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert json.loads(done.stdout)["customers"] == 20
    assert b"Traceback" not in done.stderr


def test_prices_are_shown_changed_and_taken_away(monkeypatch, capsys, tmp_path):
    """Nothing is changed by a look."""
    monkeypatch.chdir(tmp_path)
    url, world = "sqlite:///service.db", world_of()
    with Face(tmp_path, world, frame_of(world), clock=lambda: DAY):
        pass
    capsys.readouterr()

    def told(*words):
        assert call(monkeypatch, "store", "prices", url, *words, "--json") == 0
        return json.loads(capsys.readouterr().out)

    none, some = {"prices": {}, "explore": 0.0}, {"prices": {"money": 0.5}, "explore": 0.1}
    Path("plan.json").write_text(json.dumps({"plan_by_value": some}))
    assert [told(), told("--from", "plan.json"), told(), told("--none"), told()] == [none, some, some, none, none]
    assert call(monkeypatch, "store", "prices", url, "--none", "--from", "plan.json") == 2
    assert "one of the two" in capsys.readouterr().err
    assert call(monkeypatch, "store", "trail", url, "--json") == 0
    changes = [one["what"] for one in json.loads(capsys.readouterr().out)["entries"]]
    assert changes.count("prices changed") == 2


def test_an_operators_verbs(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    url = "sqlite:///service.db"
    world = world_of()
    with Face(tmp_path, world, frame_of(world), clock=lambda: DAY) as face:
        face.decide("c1")
    assert call(monkeypatch, "store", "token", url, "app", "--role", "sender", "--by", "Ann", "--json") == 0
    assert json.loads(capsys.readouterr().out)["token"].startswith("crl_")
    assert call(monkeypatch, "store", "token", url, "app", "--role", "viewer") == 2
    assert call(monkeypatch, "store", "token", url, "other", "--role", "boss") == 2
    assert call(monkeypatch, "store", "token", url, "app", "--revoke") == 0
    assert call(monkeypatch, "store", "backup", url, "-o", "a.copy") == 0
    assert call(monkeypatch, "store", "backup", url, "-o", "a.copy") == 2
    assert call(monkeypatch, "store", "restore", url, "--from", "a.copy") == 2
    Path("cut.copy").write_bytes(Path("a.copy").read_bytes()[:5000])
    assert call(monkeypatch, "store", "restore", "sqlite:///b.db", "--from", "cut.copy") in (1, 3)
    capsys.readouterr()
    assert call(monkeypatch, "store", "trail", url, "--json") == 0
    told = [entry["what"] for entry in json.loads(capsys.readouterr().out)["entries"]]
    assert told == ["token revoked", "token made", "policy promoted"]
    for words in (["store", "trail", "mysql://x"], ["store", "trail", "sqlite:///none.db"], ["store", "flow", url]):
        assert call(monkeypatch, *words) == 2
        said = capsys.readouterr().err
        assert "Traceback" not in said
    for words in (["serve", "uniform"], ["serve", "uniform", "-w", "nowhere"], ["serve", "none", "-w", "bank"]):
        assert call(monkeypatch, *words) == 2
    assert call(monkeypatch, "serve", "uniform", "-w", "bank", "--no-tokens", "--host", "0.0.0.0") == 2
    assert call(monkeypatch, "serve", "uniform", "-w", "tight_budget", "--policy-seconds", "-1") == 2


def test_what_deploy_starts_is_what_the_command_line_takes():
    """Every command of the files is a call that parses, and the image installs extras that there are."""
    docker = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    extras = re.search(r"'\.\[([\w,]+)\]'", docker)[1].split(",")
    project = (DEPLOY.parent / "pyproject.toml").read_text(encoding="utf-8")
    assert all(re.search(rf"^{extra} = \[", project, re.MULTILINE) for extra in extras)
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", docker, re.MULTILINE)
    assert all((DEPLOY.parent / name).exists() for line in copied for name in line.split())
    compose = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
    unit = (DEPLOY / "campaignrl.service").read_text(encoding="utf-8")
    calls = [json.loads(re.search(r"^CMD (\[.*\])$", docker, re.MULTILINE)[1])]
    calls += [re.findall(r"- \"?([^\"\n]+)", block) for block in re.findall(r"command:\n((?: +- .*\n)+)", compose)]
    calls += [shlex.split(re.search(r"ExecStart=\S+ (.*)", unit)[1])]
    assert len(calls) == 4
    for words in calls:
        command = cli.load_verb(words[0])
        rest = words[1:]
        if hasattr(command, "commands"):
            command, rest = command.commands[rest[0]], rest[1:]
        assert command.make_context(words[0], list(rest), resilient_parsing=False).params


KINDS = (None, "lin_ts")  # a copy of the champion, and who is named


def test_a_champion_learns_beside_deciding_from_what_has_matured(tmp_path):
    """A day's decisions and orders that one offer brings; the copy watches or decides, and the trail says so."""
    world, days = world_of("coupon_trap"), [DAY]
    log = crl.simulate(world, "uniform", customers=60, seed=3)
    start = crl.save_policy(crl.train("lin_ts", log), tmp_path / "start.bundle", trained_on=world)
    frame = frame_of(world, 600)
    ledger = Ledger.create(tmp_path / "led", world, start=DAY, customers=600)
    served = {"policy": str(start), "clock": lambda: days[0], "salt": ledger.salt, "start": DAY}
    with Face(tmp_path, world, frame, horizon_customers=600, **served) as face:
        made = face.post("/v1/decide/batch", {"customer_ids": list(frame["customer_id"])}).json()["decisions"]
        how = {"today": DAY + datetime.timedelta(days=30), "promote": True, "customers": 200}
        store = face.service.store
        early = learn_once(store, ledger, world, tmp_path / "made", **how)
        assert (early.became, early.rows) == ("nothing", 0)  # nobody has told anything yet
        today = [learn_once(store, ledger, world, tmp_path / "made", **how | {"today": DAY}, learner=k) for k in KINDS]
        assert [one.became for one in today] == ["nothing", "nothing"]
        assert today[0].why.startswith("the ledger has no decisions of lin_ts by itself yet: wait")
        assert today[1].why == f"no decision is of a day before {DAY}: wait until it is known what came of them"
        days[0] = DAY + datetime.timedelta(days=29)
        bought = [one["decision_id"] for one in made if one["offer"] == "content"] or [made[0]["decision_id"]]
        rows = [
            {"outcome_id": f"o{i}", "decision_id": one, "kind": "order", "margin": 9.0, "day": "2026-11-22"}
            for i, one in enumerate(bought)
        ]
        rows.append({"outcome_id": "last", "customer_id": "c0", "kind": "open"})
        assert face.post("/v1/outcomes", {"outcomes": rows}).status_code == 200
        learned = learn_once(store, ledger, world, tmp_path / "made", **how)
        assert learned.became in ("candidate", "promoted")
        assert learned.rows == 600
        role = "champion" if learned.became == "promoted" else "shadow"
        with store.reading() as con:
            assert (str(learned.bundle.resolve()), role) in {(row["name"], row["role"]) for row in places(con)}
        face.service.catch_up()
        assert face.decide("c1").status_code == 200
        assert face.get("/v1/trail").json()["entries"][0]["who"] == "learner"
        taught, before = crl.load_policy(learned.bundle), crl.load_policy(start)
        assert any(not np.array_equal(taught.tensors()[name], before.tensors()[name]) for name in before.tensors())
    assert isinstance(Store.open(f"sqlite:///{tmp_path}/service.db"), Store)
