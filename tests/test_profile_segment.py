"""`campaignrl profile segment` and `draw` as a shell would call them: files, tables, JSON, plain errors."""

import json
import sys

import numpy as np
import pandas as pd
import pytest

from campaignrl.cli import main as cli
from campaignrl.profiles.population.population import fit_population
from campaignrl.profiles.segments.segment_file import save_segments
from campaignrl.profiles.segments.segments import fit_segments
from campaignrl.profiles.segments.spec import segment_spec
from campaignrl.report.figures.profiles import Heat, segment_picture

PNG = b"\x89PNG"


@pytest.fixture
def campaignrl(monkeypatch, capsys):
    """Call the command line; (exit code, stdout, stderr)."""

    def call(*words):
        monkeypatch.setattr(sys, "argv", ["campaignrl", "profile", *map(str, words)])
        code = 0
        try:
            cli.main()
        except SystemExit as end:
            code = end.code or 0
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def shop(n=400, seed=0):
    chance = np.random.default_rng(seed)
    kind = chance.integers(0, 2, n)
    return pd.DataFrame(
        {
            "customer_id": [f"{i:03d}" for i in range(n)],
            "recency_days": np.round(np.exp(np.array([2.5, 5.0])[kind] + chance.normal(0, 0.3, n))),
            "orders": chance.poisson(np.array([9, 2])[kind]) + 1,
            "spend": np.round(np.exp(np.array([6.0, 4.0])[kind] + chance.normal(0, 0.4, n)), 2),
            "region": chance.choice(["北京", "North <b>", "[red]South"], n),
        }
    )


@pytest.fixture
def profiles(tmp_path):
    path = tmp_path / "profiles.parquet"
    shop().to_parquet(path)
    return path


@pytest.fixture(scope="module")
def rfm():
    """A grid of the shop with its population."""
    found = fit_segments(shop(), segment_spec({"method": "rfm"}), np.random.default_rng(0))
    return found, fit_population(shop(), found.codes(shop()), found.names)


def test_segments_are_found_written_and_found_again(campaignrl, profiles, tmp_path):
    made, labels, picture = tmp_path / "s.json", tmp_path / "l.parquet", tmp_path / "s.png"
    words = ("segment", profiles, "--method", "kmeans", "--tags", "recency_days, orders", "--k", 2)
    code, out, err = campaignrl(*words, "-o", made, "-o", labels, "--picture", picture)
    assert (code, err) == (0, "")
    assert "400 customers, 2 segments by kmeans" in out
    assert "lapsed" in out
    assert picture.read_bytes().startswith(PNG)
    first = pd.read_parquet(labels)
    assert list(first.columns) == ["customer_id", "segment"]
    assert first.customer_id[7] == "007"
    again = tmp_path / "again.csv"
    code, out, _ = campaignrl("segment", profiles, "--spec", made, "-o", again)
    assert code == 0
    later = pd.read_csv(again, dtype=str)
    assert (later.segment.to_numpy() == first.segment.to_numpy()).all()
    assert later.customer_id[7] == "007"


@pytest.mark.slow
def test_json_is_one_object_and_the_same_each_time(campaignrl, profiles):
    words = ("segment", profiles, "--method", "gmm", "--k", "auto", "--json", "--seed", 3)
    one, two = campaignrl(*words), campaignrl(*words)
    assert one == two
    answer = json.loads(one[1])
    assert answer["customers"] == 400
    assert sum(s["customers"] for s in answer["segments"]) == 400
    assert {"name", "share", "says", "rule", "precision", "recall"} <= set(answer["segments"][0])
    assert [c["k"] for c in answer["tried"]][:2] == [1, 2]


def test_rules_from_toml_and_drift(campaignrl, profiles, tmp_path):
    spec, later, picture = tmp_path / "rules.toml", tmp_path / "later.csv", tmp_path / "d.png"
    spec.write_text(
        'method = "rules"\n[segments.often]\nwhen = "orders >= 6"\n[segments.lapsed]\nwhen = "recency_days > 60"'
    )
    shop().assign(orders=1).iloc[:300].to_csv(later, index=False)
    words = ("segment", profiles, "--spec", spec, "--drift", later, "--drift-picture", picture)
    code, out, _ = campaignrl(*words)
    assert code == 0
    assert "orders: a large change" in out
    assert "often: " in out
    assert "0 new, 100 gone" in out
    assert picture.read_bytes().startswith(PNG)
    answer = json.loads(campaignrl(*words, "--json")[1])
    assert np.sum(answer["drift"]["migration"]) == 300
    assert sum(answer["drift"]["gone"]) == 100


def test_customers_are_drawn_and_compared(campaignrl, profiles, tmp_path):
    made, drawn = tmp_path / "s.json", tmp_path / "d.parquet"
    assert campaignrl("segment", profiles, "--method", "rfm", "-o", made)[0] == 0
    code, out, _ = campaignrl("draw", made, "-n", 1500, "-o", drawn, "--check", profiles)
    assert code == 0
    assert "1,500 customers with 4 tags" in out
    assert "AUC" in out
    table = pd.read_parquet(drawn)
    assert list(table.columns) == [*shop().columns, "segment"]
    assert set(table.region) == set(shop().region)
    one = tmp_path / "one.parquet"
    assert campaignrl("draw", made, "-n", 1, "--first", 77, "-o", one)[0] == 0
    assert pd.read_parquet(one).iloc[0].equals(table.iloc[77])
    code, out, _ = campaignrl("draw", made, "-n", 50, "-o", drawn, "--shares", "champions=1", "--json")
    assert json.loads(out)["segments"]["champions"] == 50


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("segment", "P", "--method", "rules"), 2, "[segments.lapsed]"),
        (("segment", "P", "--method", "kmean"), 3, "'kmeans'"),
        (("segment", "P", "--method", "rfm", "--tags", "recency,order,spend"), 3, "'orders'"),
        (("segment", "P", "--method", "kmeans", "--k", "many"), 2, "'many' is not a number"),
        (("segment", "P", "--method", "rfm", "-o", "x.pkl"), 2, ".json"),
        (("segment", "P", "--method", "rfm", "--drift-picture", "x.png"), 2, "--drift"),
        (("segment", "none.parquet", "--method", "rfm"), 2, "none.parquet"),
        (("draw", "P", "-o", "x.csv"), 3, "a file of segments"),
        (("draw", "S", "-o", "x.csv", "--shares", "champions"), 2, "NAME=SHARE"),
        (("draw", "S", "-o", "x.csv", "--shares", "champion=1"), 3, "'champions'"),
        (("segment", "P", "--spec", "S", "--method", "rfm"), 2, "stay as they are"),
    ],
)
def test_mistakes_end_in_one_plain_message_and_write_nothing(
    words, code, says, campaignrl, profiles, rfm, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    made = tmp_path / "s.json"
    save_segments(made, *rfm)
    before = sorted(tmp_path.iterdir())
    ended, out, err = campaignrl(*({"P": profiles, "S": made}.get(word, word) for word in words))
    assert (ended, out) == (code, "")
    assert says in err
    assert "Traceback" not in err
    assert sorted(tmp_path.iterdir()) == before


def test_without_a_method_customers_are_clustered(campaignrl, profiles):
    plain, said = (campaignrl("segment", profiles, *words, "--json") for words in ((), ("--method", "kmeans")))
    assert plain[:2] == said[:2]
    assert (plain[0], json.loads(plain[1])["method"]) == (0, "kmeans")


def test_the_rules_that_the_message_shows_are_rules(campaignrl, profiles, tmp_path):
    _, _, err = campaignrl("segment", profiles, "--method", "rules")
    (tmp_path / "rules.toml").write_text(err.partition("such as\n")[2])
    code, out, _ = campaignrl("segment", profiles, "--spec", tmp_path / "rules.toml", "--json")
    assert code == 0
    assert [segment["name"] for segment in json.loads(out)["segments"]] == ["lapsed", "regular", "others"]


def test_hostile_texts_cannot_steer_the_terminal(campaignrl, tmp_path):
    table = shop(60).assign(region=["\x1b[31mred\x07", "plain"] * 30)
    path = tmp_path / "p.parquet"
    table.to_parquet(path)
    spec = tmp_path / "s.toml"
    spec.write_text('method = "kmeans"\nk = 2\ntags = ["region"]')
    code, out, _ = campaignrl("segment", path, "--spec", spec, "--picture", tmp_path / "p.png")
    assert code == 0
    assert "\x1b" not in out
    assert "\x07" not in out


def test_pictures_are_the_same_bytes(campaignrl, profiles, tmp_path):
    for name in ("a.png", "b.png"):
        campaignrl("segment", profiles, "--method", "rfm", "--picture", tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


@pytest.mark.parametrize("many", [1, 3, 8])
def test_captions_stay_inside_the_picture_and_apart(many):
    names = [f"segment_{j}" for j in range(4)]
    cells = [["1.5"] * many] * 4
    shown = Heat(names, np.full(4, 0.25), [f"tag_{c}" for c in range(many)], np.zeros((4, many)), cells)
    figure = segment_picture(shown)
    figure.draw_without_rendering()
    boxes = [ax.xaxis.label.get_window_extent() for ax in figure.axes]
    whole = figure.bbox
    assert all(box.x0 >= whole.x0 and box.x1 <= whole.x1 and box.y0 >= whole.y0 for box in boxes)
    assert not boxes[0].overlaps(boxes[1])
