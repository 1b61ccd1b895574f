"""The verb `train`: from logs, in a world by campaigns, in a world step by step; going on after an interruption."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

import campaignrl as crl
from campaignrl.campaign import run_campaign
from campaignrl.cli import main as cli
from campaignrl.envs.customers_export import customers_frame
from campaignrl.envs.panel import Panel
from campaignrl.errors import UsageError
from campaignrl.guard.rules import cap_windows
from campaignrl.policies.bundle import load_bundle, read_manifest
from campaignrl.policies.deep import training_env as experience
from campaignrl.policies.loading import build_policy
from campaignrl.specs.bundled import pretrained_files
from campaignrl.suites.measure import trained
from campaignrl.suites.suite import Training
from campaignrl.tables.customers import read_customers

SMALL = Path(__file__).parent / "worlds" / "small.toml"
DEEP = 'kind = "maskable_ppo"\ncustomers = 32\nbatch_size = 128\nhidden = [8]\n'


@pytest.fixture
def spec(tmp_path):
    """A deep learner small enough for tests."""
    path = tmp_path / "deep.toml"
    path.write_text(DEEP)
    return path


@pytest.fixture
def campaignrl(monkeypatch, capsys):
    """Call the command line as a shell would; (exit code, stdout, stderr)."""

    def call(*words):
        monkeypatch.setattr(sys, "argv", ["campaignrl", *map(str, words)])
        code = 0
        try:
            cli.main()
        except SystemExit as end:
            code = end.code or 0
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


# ------------------------------------------------------------------ learners from logs


def test_customers_or_steps_say_how_much_a_campaign_teaches(small_world):
    """Steps are customer-days, rounded up to whole customers."""
    days = small_world.horizon
    by_customers = crl.train("lin_ts", small_world, customers=50, seed=2)
    by_steps = crl.train("lin_ts", small_world, steps=50 * days - 3, seed=2)
    for name, tensor in by_customers.tensors().items():
        np.testing.assert_array_equal(by_steps.tensors()[name], tensor)


def test_each_round_meets_new_customers_and_is_played_by_the_learner(small_world):
    policy = crl.train("lin_ts", small_world, customers=50, rounds=2, seed=2)
    first = build_policy("lin_ts", small_world.catalog, small_world.features, seed=2)
    first.update(crl.simulate(small_world, "uniform", customers=50, seed=2))
    first.update(crl.simulate(small_world, first, customers=np.arange(50, 100), seed=2))
    np.testing.assert_array_equal(policy.tensors()["gram"], first.tensors()["gram"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"resume": True}, "resume"),
        ({"checkpoint": "x"}, "checkpoint"),
        ({"tensorboard": "x"}, "tensorboard"),
        ({"watch": lambda m: None}, "watch"),
    ],
)
def test_words_for_learners_that_act_are_refused_by_others(words, said, small_world):
    with pytest.raises(UsageError, match=f"{said}.*learns from logs"):
        crl.train("lin_ts", small_world, customers=5, **words)


def test_a_log_is_as_long_as_it_is(small_world):
    log = crl.simulate(small_world, "uniform", customers=20)
    with pytest.raises(UsageError, match="steps"):
        crl.train("lin_ts", log, steps=10)


def test_what_learns_nothing_is_refused(small_world):
    with pytest.raises(UsageError, match="a policy that learns"):
        crl.train("uniform", small_world)
    with pytest.raises(UsageError, match="a policy that learns"):
        crl.train("network", small_world)


# ------------------------------------------------------------------ learners that act in a world


def test_a_learner_that_acts_takes_no_log(small_world, spec):
    log = crl.simulate(small_world, "uniform", customers=20)
    with pytest.raises(UsageError, match="one that learns from logs"):
        crl.train(spec, log)


def test_customers_and_rounds_are_lives(small_world, spec):
    """As many customer-days as a learner from logs would see."""
    pytest.importorskip("sb3_contrib")
    policy = crl.train(spec, small_world, customers=64, rounds=2)
    assert policy.curve[-1].steps == 128 * small_world.horizon
    assert [m.steps for m in crl.train(spec, small_world, steps=1).curve] == [32 * small_world.horizon]


def test_the_seed_is_of_everything(small_world, spec):
    pytest.importorskip("sb3_contrib")
    one, same, other = (crl.train(spec, small_world, steps=1, seed=seed) for seed in (4, 4, 5))
    np.testing.assert_array_equal(one.tensors()["weight_0"], same.tensors()["weight_0"])
    assert not np.array_equal(one.tensors()["weight_0"], other.tensors()["weight_0"])
    assert one.curve != other.curve


def test_a_benchmark_teaches_it_as_any_learner(small_world, spec):
    pytest.importorskip("sb3_contrib")
    policy = trained(small_world, spec, 4, Training(customers=64))
    assert policy.curve[-1].steps == 64 * small_world.horizon
    again = crl.train(spec, small_world, customers=64, seed=4)
    np.testing.assert_array_equal(policy.tensors()["weight_0"], again.tensors()["weight_0"])


def test_a_checkpoint_is_not_written_over(small_world, spec, tmp_path):
    kept = tmp_path / "kept"
    kept.write_bytes(b"of somebody else")
    with pytest.raises(UsageError, match="--resume"):
        crl.train(spec, small_world, steps=1, checkpoint=kept)
    assert kept.read_bytes() == b"of somebody else"


@pytest.mark.parametrize("steps", [0, -5])
def test_nothing_to_learn_from_is_refused(steps, small_world, spec):
    with pytest.raises(UsageError, match="steps"):
        crl.train(spec, small_world, steps=steps)


# ------------------------------------------------------------------ the command line


def test_trained_by_command_it_decides(campaignrl, spec, tmp_path):
    pytest.importorskip("sb3_contrib")
    bundle = tmp_path / "p.bundle"
    code, out, err = campaignrl("train", spec, "--world", SMALL, "--steps", 800, "-o", bundle, "--seed", 3, "--json")
    assert code == 0, err
    answer = json.loads(out)
    assert (answer["kind"], answer["policy"]) == ("maskable_ppo", "deep")
    days = load_bundle(bundle).config.customers * crl.load_world(SMALL).horizon
    assert "curve" not in answer
    assert answer["steps"] == -(-800 // days) * days
    facts = read_manifest(bundle)["trained_on"]
    assert facts["curve"][-1][0] == answer["steps"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["deep.toml", "p.bundle"]  # no checkpoint is left
    code, out, _ = campaignrl("simulate", "--world", SMALL, "--policy", bundle, "-n", 50, "--json")
    assert code == 0
    assert json.loads(out)["customers"] == 50
    customers = tmp_path / "customers.csv"
    customers_frame(Panel(crl.load_world(SMALL), 300, seed=4)).to_csv(customers, index=False)
    words = ["--world", SMALL, "--as-of", "2026-11-21", "-o", tmp_path / "sends.csv", "--json"]
    code, out, err = campaignrl("decide", bundle, customers, *words)
    assert code == 0, err
    assert json.loads(out)["customers"] == 300


def test_a_table_of_customers_is_decided_as_the_panel_is(small_world):
    """The same probabilities, whether a customer comes from the simulator or from a file."""
    policy = build_policy({"kind": "maskable_ppo", "hidden": [8]}, small_world.catalog, small_world.features)
    chance = np.random.default_rng(0)
    policy.restore({n: chance.normal(0, 0.5, a.shape).astype(np.float32) for n, a in policy.tensors().items()})
    panel = Panel(small_world, 400, seed=4)
    for _ in range(3):  # so that the time to go is not what a table without it would be taken for
        panel.step(np.zeros(400, dtype=int))
    context = panel.observe()
    frame = customers_frame(panel)
    table = read_customers(frame, small_world.features, list(small_world.channels), cap_windows(small_world))
    np.testing.assert_array_equal(table.context.encode(policy.schema), context.encode(policy.schema))
    mask = panel.allowed(context)
    np.testing.assert_array_equal(policy.probabilities(table.context, mask), policy.probabilities(context, mask))


def test_a_report_is_written_if_wanted(campaignrl, tmp_path):
    page, bundle = tmp_path / "r.html", tmp_path / "p.bundle"
    words = ["train", "lin_ts", "--world", SMALL, "-n", 200, "-o", bundle, "--report", page, "--json"]
    code, out, err = campaignrl(*words)
    assert code == 0, err
    assert json.loads(out)["report"] == str(page)
    assert "<svg" in page.read_text()
    assert page.with_suffix(".png").read_bytes().startswith(b"\x89PNG")


def test_a_report_shows_the_curve_of_one_that_acted(campaignrl, spec, tmp_path):
    pytest.importorskip("sb3_contrib")
    page = tmp_path / "r.html"
    words = ["train", spec, "--world", SMALL, "--steps", 1500, "-o", tmp_path / "p.bundle", "--report", page]
    code, _, err = campaignrl(*words)
    assert code == 0, err
    assert "deep" in page.read_text()


def test_interrupted_it_says_how_to_go_on_and_does(campaignrl, spec, tmp_path, monkeypatch):
    pytest.importorskip("sb3_contrib")
    whole, bundle = tmp_path / "whole.bundle", tmp_path / "p.bundle"
    words = ["train", spec, "--world", SMALL, "--steps", 1500]
    assert campaignrl(*words, "-o", whole)[0] == 0
    step, calls = experience.TrainingVectorEnv.step, [0]

    def interrupting(self, actions):
        calls[0] += 1
        if calls[0] == 30:
            raise KeyboardInterrupt
        return step(self, actions)

    with monkeypatch.context() as patch:
        patch.setattr(experience.TrainingVectorEnv, "step", interrupting)
        code, _, err = campaignrl(*words, "-o", bundle)
    assert code == 130
    assert "--resume" in err
    assert not bundle.exists()
    assert (tmp_path / "p.bundle.checkpoint").exists()
    code, _, err = campaignrl(*words, "-o", bundle)
    assert code == 2
    assert "--resume" in err
    code, _, err = campaignrl(*words, "-o", bundle, "--resume")
    assert code == 0, err
    assert bundle.read_bytes() == whole.read_bytes()
    assert not (tmp_path / "p.bundle.checkpoint").exists()


def test_interrupted_before_anything_was_kept_it_just_ends(campaignrl, spec, tmp_path, monkeypatch):
    pytest.importorskip("sb3_contrib")

    def interrupting(self, actions):
        raise KeyboardInterrupt

    monkeypatch.setattr(experience.TrainingVectorEnv, "step", interrupting)
    code, _, err = campaignrl("train", spec, "--world", SMALL, "-o", tmp_path / "p.bundle")
    assert (code, "--resume" in err) == (130, False)
    assert [p.name for p in tmp_path.iterdir()] == ["deep.toml"]


def test_words_that_do_not_fit(campaignrl, spec, tmp_path):
    out = tmp_path / "p.bundle"
    assert campaignrl("train", spec, "-o", out)[0] == 2
    assert campaignrl("train", "lin_ts", "--world", SMALL, "--resume", "-n", 5, "-o", out)[0] == 2
    assert campaignrl("train", spec, "--world", SMALL, "--steps", 0, "-o", out)[0] == 2
    code, _, err = campaignrl("train", "maskable_pppo", "--world", SMALL, "-o", out)
    assert code == 2
    assert "maskable_ppo" in err
    assert not out.exists()


def test_without_the_extra_the_command_says_what_to_install(campaignrl, spec, tmp_path, monkeypatch):
    for module in ("deep.trainer", "deep.sb3_models"):
        monkeypatch.delitem(sys.modules, f"campaignrl.policies.{module}", raising=False)
    monkeypatch.setitem(sys.modules, "sb3_contrib", None)
    code, _, err = campaignrl("train", spec, "--world", SMALL, "-o", tmp_path / "p.bundle")
    assert code == 2
    assert "pip install 'campaignrl[rl]'" in err


# ------------------------------------------------------------------ the one that ships


def test_the_pretrained_policy_fits_its_world_and_is_small():
    world = crl.load_world("ecommerce")
    policy = crl.load_policy("pretrained/ecommerce", world.catalog, world.features)
    assert policy.is_trained
    assert set(policy.schema.names) <= set(world.features.names)
    path = pretrained_files()["pretrained/ecommerce"]
    assert path.stat().st_size < 1 << 20
    assert read_manifest(path)["trained_on"]["world"] == "ecommerce"


def test_the_pretrained_policy_earns_more_than_the_rules():
    """On customers it has never met; paired, so that 12,000 of them tell a few per cent of the contribution."""
    ids = np.arange(1 << 41, (1 << 41) + 12_000)
    ours, rules = (run_campaign("ecommerce", p, customers=ids, seed=5).value for p in ("pretrained/ecommerce", "rules"))
    difference = ours - rules
    assert difference.mean() > 2 * difference.std() / np.sqrt(len(ids))


def test_a_bundle_does_not_say_where_its_world_lay(tmp_path, campaignrl):
    written = []
    for place in ("here", "there"):
        (tmp_path / place).mkdir()
        world = shutil.copy(SMALL, tmp_path / place / "own.toml")
        bundle = tmp_path / place / "p.bundle"
        assert campaignrl("train", "lin_ts", "--world", world, "--customers", 100, "-o", bundle)[0] == 0
        written.append(bundle.read_bytes())
    assert read_manifest(bundle)["trained_on"]["world"] == "own.toml"
    assert written[0] == written[1]
