"""The command line: exit codes, one plain message for bad input, nothing written, data on stdout only."""

import io
import json
import pickle
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from campaignrl import __version__
from campaignrl.cli import main as cli
from campaignrl.envs.customers_export import customers_frame
from campaignrl.envs.panel import Panel
from campaignrl.specs.bundled import bundled_folder
from campaignrl.specs.world import load_world


class Said:
    """What a call printed and how it ended."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def lines(self) -> int:
        return len(self.err.strip().splitlines())


@pytest.fixture
def campaignrl(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Call the command line as a shell would."""

    def call(*words: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["campaignrl", *map(str, words)])
        code: object = 0
        try:
            cli.main()
        except SystemExit as end:
            code = end.code or 0
        captured = capsys.readouterr()
        return Said(int(str(code)), captured.out, captured.err)

    return call


@pytest.fixture(scope="module")
def small_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled world with a horizon of 12 days."""
    text = (bundled_folder("envs") / "ecommerce.toml").read_text(encoding="utf-8")
    path = tmp_path_factory.mktemp("worlds") / "small.toml"
    path.write_text(text.replace("horizon = 90", "horizon = 12"), encoding="utf-8")
    return path


@pytest.fixture
def log(campaignrl, small_world: Path, tmp_path: Path) -> Path:
    """A small decision log, as CSV with its description beside it."""
    path = tmp_path / "log.csv"
    assert campaignrl("simulate", "--world", small_world, "-n", 60, "-o", path).code == 0
    return path


def test_simulate_train_evaluate_decide(campaignrl, small_world: Path, tmp_path: Path) -> None:
    log, bundle, sends = tmp_path / "log.parquet", tmp_path / "lin.bundle", tmp_path / "sends.csv"
    simulated = campaignrl("simulate", "--world", small_world, "-n", 800, "-o", log, "--json")
    assert json.loads(simulated.out)["customers"] == 800
    assert campaignrl("train", "lin_ts", "--log", log, "-o", bundle).code == 0
    valued = campaignrl("evaluate", log, "--policy", bundle, "--json")
    answer = json.loads(valued.out)
    assert valued.code == (4 if answer["verdict"] == "refuse" else 0)
    assert {"value", "std_error", "ci_low", "ci_high", "interval"} <= answer["estimates"]["dr"].keys()
    customers = tmp_path / "customers.parquet"
    customers_frame(Panel(load_world(small_world), 300, seed=4)).to_parquet(customers)
    decided = campaignrl(
        "decide", bundle, customers, "-o", sends, "--world", small_world, "--as-of", "2026-11-21", "--json"
    )
    assert decided.code == 0, decided.err
    assert json.loads(decided.out)["customers"] == 300
    listed = pd.read_csv(sends, dtype=str)
    assert list(listed.columns[:7]) == ["customer_id", "ts", "offer", "channel", "propensity", "reason", "blocked"]
    assert len(listed) == json.loads(decided.out)["sends"] > 0
    again = tmp_path / "again.csv"
    campaignrl("decide", bundle, customers, "-o", again, "--world", small_world, "--as-of", "2026-11-21")
    assert again.read_bytes() == sends.read_bytes()


def test_missing_column(campaignrl, log: Path) -> None:
    frame = pd.read_csv(log, dtype=str).rename(columns={"propensity": "propensities"})
    frame.to_csv(log, index=False)
    said = campaignrl("evaluate", log, "--policy", "uniform")
    assert (said.code, said.out, said.lines) == (3, "", 1)
    assert "propensity" in said.err
    assert "Did you mean 'propensities'?" in said.err


@pytest.mark.parametrize("wrong", ["0", "1.5", "-0.1", "nan"])
def test_propensity_out_of_range(campaignrl, log: Path, wrong: str) -> None:
    frame = pd.read_csv(log, dtype=str)
    frame.loc[[3, 5], "propensity"] = wrong
    frame.to_csv(log, index=False)
    said = campaignrl("evaluate", log, "--policy", "uniform")
    assert (said.code, said.out, said.lines) == (3, "", 1)
    assert "3, 5" in said.err
    assert "in (0, 1]" in said.err


def test_unknown_action(campaignrl, log: Path) -> None:
    said = campaignrl("evaluate", log, "--policy", "always:coupon20@smss")
    assert (said.code, said.out, said.lines) == (2, "", 1)
    assert "Did you mean 'coupon20@sms'?" in said.err


def test_unknown_segment_in_a_world(campaignrl, small_world: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.toml"
    broken.write_text(small_world.read_text().replace("segment == 'high_value'", "segment == 'high_valeu'"))
    said = campaignrl("simulate", "--world", broken, "-o", tmp_path / "log.parquet")
    assert (said.code, said.out, said.lines) == (3, "", 1)
    assert "[offers.vip_perk]" in said.err
    assert "Did you mean 'high_value'?" in said.err
    assert not (tmp_path / "log.parquet").exists()


def test_unknown_world(campaignrl, tmp_path: Path) -> None:
    said = campaignrl("train", "lin_ts", "--world", "ecomerce", "-o", tmp_path / "x.bundle")
    assert (said.code, said.out, said.lines) == (2, "", 1)
    assert "Did you mean 'ecommerce'?" in said.err
    assert not list(tmp_path.iterdir())


def test_truncated_parquet(campaignrl, small_world: Path, tmp_path: Path) -> None:
    whole = tmp_path / "log.parquet"
    campaignrl("simulate", "--world", small_world, "-n", 50, "-o", whole)
    content = whole.read_bytes()
    for size in (0, 3, 100, len(content) // 2, len(content) - 1):
        whole.write_bytes(content[:size])
        said = campaignrl("evaluate", whole, "--policy", "uniform")
        assert (said.code, said.out, said.lines) == (3, "", 1), said.err
        assert "log.parquet" in said.err


class Canary:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_pickle_offered_as_a_bundle(campaignrl, small_world: Path, tmp_path: Path) -> None:
    sung, bundle = tmp_path / "sung", tmp_path / "evil.bundle"
    bundle.write_bytes(pickle.dumps(Canary(sung)))
    said = campaignrl("simulate", "--world", small_world, "--policy", bundle)
    assert (said.code, said.out, said.lines) == (3, "", 1)
    assert "pickle" in said.err
    assert not sung.exists()


def test_duplicate_customers_and_missing_columns(campaignrl, small_world: Path, tmp_path: Path) -> None:
    customers, sends = tmp_path / "customers.csv", tmp_path / "sends.csv"
    frame = customers_frame(Panel(load_world(small_world), 6, seed=4))
    pd.concat([frame, frame.iloc[:2]]).to_csv(customers, index=False)
    said = campaignrl("decide", "rules", customers, "-o", sends, "--world", small_world)
    assert said.code == 3
    assert "6, 7" in said.err
    frame.drop(columns=["contacts_7d", "recency_days"]).to_csv(customers, index=False)
    said = campaignrl("decide", "rules", customers, "-o", sends, "--world", small_world)
    assert said.code == 3
    assert "contacts_7d" in said.err
    assert "recency_days" in said.err
    assert not sends.exists()


def test_usage_errors_exit_2(campaignrl, tmp_path: Path) -> None:
    assert campaignrl("evaluate").code == 2
    assert campaignrl("nonsense").code == 2
    assert campaignrl("train", "lin_ts", "-o", tmp_path / "x.bundle").code == 2
    assert campaignrl("train", "uniform", "--world", "ecommerce", "-o", tmp_path / "x.bundle").code == 2


def test_interrupt_exits_130(campaignrl, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "app", interrupted)
    assert campaignrl("demo").code == 130


@pytest.mark.parametrize("name", cli.VERBS)
def test_every_verb_has_help(campaignrl, name: str) -> None:
    said = campaignrl(name, "--help")
    assert said.code == 0
    assert len(said.out) > 100
    # The front page says of a verb what its own help says first.
    own = " ".join(said.out.replace("\n", " ").split())
    assert cli.VERBS[name][1].rstrip(".") in own


def test_the_front_page_lists_every_verb_and_loads_none() -> None:
    code = "import sys; sys.argv = ['campaignrl', '--help']; from campaignrl.cli.main import main\ntry: main()\n"
    code += "except SystemExit: pass\nprint(sorted({'pandas', 'sklearn', 'matplotlib'} & set(sys.modules)))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.splitlines()[-1] == "[]"
    assert all(f"  {name} " in out for name in cli.VERBS)


def test_an_evaluation_loads_nothing_large_for_the_sake_of_one_number() -> None:
    """scipy.stats alone takes a second; the log has a holdout, whose size is tested."""
    code = "import sys; import campaignrl as crl; log = crl.simulate('ecommerce', 'uniform', customers=30, seed=1)\n"
    code += "assert log.meta['holdout']; crl.evaluate(log, 'uniform')\n"
    code += "print(sorted({'scipy.stats', 'sklearn', 'matplotlib', 'torch'} & set(sys.modules)))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.splitlines()[-1] == "[]"


def test_the_package_runs_as_a_module(tmp_path: Path) -> None:
    """Exit codes and messages are those of the command, which goes by the name it was called by."""

    def call(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "campaignrl", *words]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    version = call("--version")
    assert (version.returncode, version.stdout) == (0, f"campaignrl {__version__}\n")
    assert "Usage: python -m campaignrl" in call("--help").stdout
    wrong = call("world", "show", "ecomerce")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "Did you mean 'ecommerce'?" in wrong.stderr
    assert len(wrong.stderr.splitlines()) == 1


def test_a_mistyped_verb(campaignrl) -> None:
    said = campaignrl("simulat")
    assert said.code == 2
    assert "Did you mean 'simulate'?" in said.err


def test_control_characters_never_reach_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    from campaignrl.cli.terminal.console import say, say_table, talk

    say("\x1b[31mred")
    say_table(("name",), [("\x1b]0;title\x07",)])
    talk("[bold]markup\x1b[0m")
    captured = capsys.readouterr()
    assert "\x1b]" not in captured.out
    assert "\x1b[31m" not in captured.out
    assert "[bold]markup" in captured.err
    assert io.StringIO(captured.out).read().count("\\x1b") == 2


def test_a_run_by_the_hour_writes_events_and_a_picture(campaignrl, tmp_path: Path) -> None:
    events, load = tmp_path / "events.parquet", tmp_path / "load.png"
    text = (bundled_folder("envs") / "bank.toml").read_text(encoding="utf-8")
    world = tmp_path / "bank_week.toml"
    world.write_text(re.sub(r"^horizon = \d+", "horizon = 7", text, flags=re.M), encoding="utf-8")
    words = ("simulate", "--world", world, "-n", 300, "--events", events, "--load", load)
    said = campaignrl(*words, "--json")
    assert said.code == 0, said.err
    assert json.loads(said.out)["per_customer"]["sent"] > 0
    frame = pd.read_parquet(events)
    assert {"sent", "delivered", "opened"} <= set(frame["event"])
    assert load.read_bytes().startswith(b"\x89PNG")
    assert campaignrl(*words, "-o", tmp_path / "log.parquet").code == 2


def test_loads_of_a_world_without_queues_are_refused_before_the_run(campaignrl, tmp_path: Path) -> None:
    events, load = tmp_path / "events.parquet", tmp_path / "load.png"
    said = campaignrl("simulate", "--world", "coupon_trap", "-n", 100, "--events", events, "--load", load)
    assert said.code == 2
    assert "coupon_trap" in said.err
    assert "a capacity or a retry" in said.err
    assert not events.exists()
    assert not load.exists()


def test_evaluate_by_part_and_with_its_risk(campaignrl, small_world: Path, tmp_path: Path):
    log, page = tmp_path / "log.parquet", tmp_path / "page.html"
    assert campaignrl("simulate", "--world", small_world, "-n", 400, "-o", log).code == 0
    asked = ("evaluate", log, "--policy", "uniform", "--by", "segment", "--by", "recency_days", "--risk")
    told = campaignrl(*asked, "--report", page)
    assert "lift by segment, over logged" in told.out
    assert "probability that it earns less than logged" in told.out
    assert page.read_text().count("Lift by ") >= 2
    facts = json.loads(campaignrl(*asked, "--json").out)
    assert set(facts["lift_by"]) == {"segment", "recency_days"}
    assert 0.0 < facts["probability_of_harm"] < 1.0
    wrong = campaignrl("evaluate", log, "--policy", "uniform", "--by", "segmnt")
    assert wrong.code == 2
    assert "Did you mean 'segment'" in wrong.err
    for more in (("--stream",), ("--estimator", "wdr")):
        refused = campaignrl("evaluate", log, "--policy", "uniform", "--by", "segment", *more)
        assert (refused.code, "--by" in refused.err) == (2, True)


def test_evaluate_refuses_a_log_that_the_policy_learned_on(campaignrl, small_world: Path, tmp_path: Path) -> None:
    log = tmp_path / "log.parquet"
    campaignrl("simulate", "--world", small_world, "-n", 100, "-o", log)
    said = campaignrl("evaluate", log, "-p", "uniform", "--learned-on", log)
    assert (said.code, said.out) == (3, "")
    assert "leakage check" in said.err
    assert "100 customers overlap" in said.err
    assert campaignrl("evaluate", log, "-p", "uniform", "--learned-on", log, "--stream").code == 2


def test_what_is_wrong_with_all_inputs_is_said_at_once(campaignrl, tmp_path: Path) -> None:
    sends = tmp_path / "sends.csv"
    said = campaignrl("decide", "ruls", tmp_path / "no.csv", "-w", "bnk", "--as-of", "tomorrow", "-o", sends)
    assert (said.code, said.out, said.lines) == (2, "", 4)
    for word in ("--as-of 'tomorrow'", "Did you mean 'rules'", "no.csv", "Did you mean 'bank'"):
        assert word in said.err
    assert not list(tmp_path.iterdir())
    one = campaignrl("decide", "rules", tmp_path / "no.csv", "-o", sends)
    assert (one.code, one.lines) == (2, 1)


def test_profiles_and_calibrations_too_say_all_that_is_wrong_at_once(campaignrl, tmp_path: Path) -> None:
    words = ("profile", "build", tmp_path / "map.toml", "--as-of", "soon", "--tags", "shp", "--world", "bnk")
    said = campaignrl(*words, "-o", tmp_path / "out")
    assert (said.code, said.lines) == (2, 3)
    for word in ("--as-of = 'soon'", "Did you mean 'shop'", "Did you mean 'bank'"):
        assert word in said.err
    words = ("calibrate", tmp_path / "no.parquet", "--log", tmp_path / "log.csv", "--like", "bnk", "--set", "margin")
    said = campaignrl(*words, "-o", tmp_path / "own.toml")
    assert (said.code, said.lines) == (2, 4)
    for word in ("no.parquet", "log.csv", "Did you mean 'bank'", "margin"):
        assert word in said.err
    assert not list(tmp_path.iterdir())


def test_an_unknown_policy_in_a_world_is_told_of_the_rules_of_that_world(campaignrl) -> None:
    said = campaignrl("simulate", "-w", "bank", "-p", "ruls", "-n", 50)
    assert (said.code, said.lines) == (2, 1)
    assert "The rules of bank are rules_bank." in said.err


def test_evaluate_compares_several_policies_on_one_log(campaignrl, log: Path) -> None:
    told = campaignrl("evaluate", log, "-p", "none", "-p", "uniform")
    assert "over logged" in told.out
    assert {"none", "uniform"} <= {line.split()[0] for line in told.out.splitlines() if line.strip()}
    facts = json.loads(campaignrl("evaluate", log, "-p", "none", "-p", "uniform", "--json").out)
    assert [each["policy"] for each in facts["policies"]] == ["none", "uniform"]
    assert all(each["compared"]["adjusted_p"] >= each["compared"]["p_value"] for each in facts["policies"])
    alone = json.loads(campaignrl("evaluate", log, "-p", "none", "--json").out)
    assert alone["estimates"] == facts["policies"][0]["estimates"]
    for more in (("-p", "none"), ("--by", "segment"), ("--mix", "0.5"), ("--stream",)):
        assert campaignrl("evaluate", log, "-p", "none", "-p", "uniform", *more).code == 2


def test_a_word_on_an_interrupt(campaignrl, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "app", interrupted)
    assert "whole or not at all" in campaignrl("decide").err
    assert "goes on after the runs that were finished" in " ".join(campaignrl("benchmark", "smoke").err.split())


def test_no_colour_where_none_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    from campaignrl.cli.terminal.console import _console

    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    for wanted in (True, False):
        monkeypatch.setenv("NO_COLOR", "" if wanted else "1")
        out = io.StringIO()
        _console(out).print("x", style="red")
        assert ("\x1b[31m" in out.getvalue()) is wanted


def test_every_table_of_a_call_may_be_of_another_encoding(campaignrl, small_world: Path, tmp_path: Path) -> None:
    customers, suppressed, sends = tmp_path / "customers.csv", tmp_path / "no.csv", tmp_path / "sends.csv"
    frame = customers_frame(Panel(load_world(small_world), 40, seed=4))
    frame["customer_id"] = "会员" + frame["customer_id"].astype(str)
    frame.to_csv(customers, index=False, encoding="gb18030")
    frame[["customer_id"]].head(1).to_csv(suppressed, index=False, encoding="gb18030")
    words = ("decide", "rules", customers, "-w", small_world, "--suppress", suppressed, "-o", sends)
    said = campaignrl(*words)
    assert (said.code, "--encoding gb18030" in said.err, sends.exists()) == (3, True, False)
    assert campaignrl(*words, "--encoding", "klingon").code == 2
    assert campaignrl(*words, "--encoding", "gb18030").code == 0
    assert sends.exists()


def test_a_log_of_the_shipped_policy_answers(campaignrl, tmp_path: Path) -> None:
    """A twentieth of it explores, so that whoever begins with it can ask what another policy would have brought."""
    log = tmp_path / "shipped.parquet"
    assert campaignrl("simulate", "-w", "ecommerce", "-p", "pretrained/ecommerce", "-n", 1_000, "-o", log).code == 0
    asked = ("-p", "always:content@email", "--against", "uniform", "--estimator", "dr")
    said = campaignrl("evaluate", log, *asked, "--json")
    told = json.loads(said.out)
    assert (said.code, told["log_policy"]) == (0, "dr_uplift")
    assert told["estimates"]["dr"]["ci_low"] < told["estimates"]["dr"]["value"] < told["estimates"]["dr"]["ci_high"]
    assert told["lift_ci_low"] < told["lift"] < told["lift_ci_high"]


def test_a_log_of_a_certain_policy_answers_once_a_share_of_it_explores(campaignrl, tmp_path: Path) -> None:
    """The policy is certain in every row: the refusal says so first, and its last words are a call that helps."""
    log, drawn = tmp_path / "certain.parquet", tmp_path / "drawn.parquet"
    made = ("simulate", "-w", "ecommerce", "-p", "rules", "-n", 150, "--seed", 5)
    asked = ("-p", "always:content@email", "--against", "uniform", "--estimator", "dr")
    assert campaignrl(*made, "-o", log).code == 0
    said = campaignrl("evaluate", log, *asked, "--json")
    told = json.loads(said.out)
    assert (said.code, told["verdict"], told["estimates"]["dr"]["ci_low"]) == (4, "refuse", None)
    assert told["reasons"][0].startswith("every logged action was certain (propensity 1)")
    (way_out,) = (reason for reason in told["reasons"] if reason.startswith("What would help"))
    assert "`campaignrl simulate --explore 0.05`" in way_out
    assert "--mix" not in way_out  # a mixture of it is as blind
    assert campaignrl(*made, "--explore", "0.05", "-o", drawn).code == 0
    told = json.loads(campaignrl("evaluate", drawn, *asked, "--json").out)
    assert told["log_policy"] == "rules"
    assert told["estimates"]["dr"]["ci_low"] < told["estimates"]["dr"]["value"] < told["estimates"]["dr"]["ci_high"]
    assert not any("certain" in reason for reason in told["reasons"])


def test_what_share_explores_must_be_one_and_of_a_policy_that_can(campaignrl, small_world: Path) -> None:
    said = campaignrl("simulate", "--world", small_world, "-p", "none", "-n", 10, "--explore", "0.1")
    assert (said.code, said.out, said.lines) == (2, "", 1)
    assert "policy none: --explore = 0.1 is not a setting of its kind" in said.err
    for wrong in ("1.5", "-0.1", "nan"):
        said = campaignrl("simulate", "--world", small_world, "-n", 10, "--explore", wrong)
        assert (said.code, said.lines, "a share of decisions, 0 to 1" in said.err) == (2, 1, True)
    assert campaignrl("simulate", "--world", small_world, "-p", "rules", "-n", 10, "--explore", "1").code == 0
