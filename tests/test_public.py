"""The front door: every public name loads, in any order of imports, and importing costs little."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import FunctionType

import pytest

import campaignrl
from campaignrl.errors import CampaignError

VERBS = {"simulate", "train", "evaluate", "decide", "calibrate", "load_world", "load_policy", "read_log", "benchmark"}
VERBS |= {"compare", "compare_many_on_log", "evaluate_stream", "read_customers", "register_policy", "run_campaign"}
VERBS |= {"save_policy", "save_world", "sb3_env", "write_log"}


OTHERS = ("MissingExtra", "UnknownName")  # errors that are not called so


def missing(name):
    """A name whose module is not written yet."""
    home = campaignrl._HOME[name]
    try:
        return find_spec(f"campaignrl.{home}") is None
    except ModuleNotFoundError:
        return True


def run(code):
    result = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


@pytest.mark.parametrize("name", campaignrl.__all__)
def test_every_public_name_loads(name):
    if missing(name):
        pytest.skip(f"{name} has no module yet")
    value = getattr(campaignrl, name)
    assert isinstance(value, FunctionType if name in VERBS else type)
    assert value.__name__ == name
    assert value.__doc__


def test_the_public_names_are_listed_once_and_few():
    assert list(campaignrl.__all__) == sorted(set(campaignrl.__all__))
    assert len(campaignrl.__all__) <= 35
    assert set(campaignrl.__all__) <= set(dir(campaignrl))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'simulat'"):
        campaignrl.simulat  # noqa: B018


def test_every_public_error_is_a_campaign_error():
    errors = [getattr(campaignrl, n) for n in campaignrl.__all__ if n.endswith("Error") or n in OTHERS]
    assert len(errors) == 8
    assert all(issubclass(e, CampaignError) for e in errors)


ORDERS = [
    "import campaignrl; campaignrl.evaluate",
    "import campaignrl.ope",
    "import campaignrl.ope.evaluate",
    "from campaignrl.ope.estimators import weights",
    "from campaignrl.ope.evaluate import evaluate",
    "from campaignrl import evaluate; import campaignrl.ope.methods.result",
    "import campaignrl.campaign, campaignrl.training",
    "from campaignrl import simulate, train, decide",
    "import campaignrl.cli.main",
    "import campaignrl.true_value; campaignrl.simulate",
]


def test_the_verbs_are_functions_whatever_is_imported_first():
    """One process, in which campaignrl is forgotten between the orders; the libraries under it may stay."""
    run(
        f"""
import sys, types
for order in {ORDERS!r}:
    for name in [n for n in sys.modules if n.split(".")[0] == "campaignrl"]:
        del sys.modules[name]
    exec(order)
    import campaignrl
    for verb in ("evaluate", "simulate", "train", "decide"):
        assert type(getattr(campaignrl, verb)) is types.FunctionType, (order, verb)
"""
    )


def test_no_verb_shares_its_name_with_a_package_or_module():
    """Else `import campaignrl.NAME` and `campaignrl.NAME` would be two things."""
    inside = {path.stem for path in Path(campaignrl.__file__).parent.iterdir()}
    assert not inside & set(campaignrl.__all__) - {"rng"}


def test_importing_the_package_loads_no_heavy_library():
    loaded = run("import campaignrl, sys; print(*sorted(m.split('.')[0] for m in sys.modules))").split()
    heavy = {"pandas", "torch", "sklearn", "pyarrow", "matplotlib", "scipy", "duckdb", "stable_baselines3", "pydantic"}
    assert not heavy & set(loaded)


def test_importing_the_package_loads_gymnasium_and_little_else():
    """What an import costs, in modules: a clock would measure the machine. Gymnasium must know our environments."""
    loads = "import sys; before = set(sys.modules); import {}; print(*sorted(set(sys.modules) - before))"
    ours, gymnasiums = (set(run(loads.format(name)).split()) for name in ("campaignrl", "gymnasium"))
    own = {name for name in ours if name.partition(".")[0] == "campaignrl"}
    assert len(own) <= 4, f"importing campaignrl loads {sorted(own)}"
    others = {name.partition(".")[0] for name in ours - own - gymnasiums}
    assert others <= sys.stdlib_module_names, f"importing campaignrl loads {sorted(others - sys.stdlib_module_names)}"
    assert len(ours - own - gymnasiums) <= 5, sorted(ours - own - gymnasiums)


def test_the_command_line_starts_without_the_libraries_of_its_verbs():
    """`--help` and a mistyped verb answer before anything heavy loads."""
    loaded = run("import campaignrl.cli.main, sys; print(*sys.modules)").split()
    assert not {"pandas", "torch", "sklearn", "pyarrow", "matplotlib", "scipy", "duckdb", "pydantic"} & set(loaded)


def test_simulating_needs_neither_torch_nor_sklearn():
    code = "import campaignrl as c, sys; c.simulate('ecommerce', customers=2); print(*sys.modules)"
    loaded = {name.split(".")[0] for name in run(code).split()}
    assert not {"torch", "stable_baselines3", "sb3_contrib", "matplotlib"} & loaded


def test_the_environments_are_found_after_the_import():
    out = run("import campaignrl, gymnasium as g; print(g.make('campaignrl/Lifecycle-v0').action_space.n)")
    assert int(out) == len(campaignrl.load_world("ecommerce").catalog)
    run("import gymnasium as g; g.make('campaignrl:campaignrl/Lifecycle-v0')")
