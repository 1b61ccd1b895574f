"""A study's page: answer and picture first, nothing from elsewhere, small enough to hand on; any script ends in one."""

import html
import re
import sys
from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np
import pytest

from campaignrl.errors import UsageError
from campaignrl.report.figures import Judged, Line, estimates_against_truth, gain_by_budget, over_time, png_bytes
from campaignrl.report.pages import Drawing, Part, StudyPage, Table, made_of, mean_interval, told_page, world_part
from campaignrl.report.pages.told_study import answer_of
from campaignrl.suites import benchmark, run_study, study_words
from campaignrl.suites.suite import PolicyUse, Suite

VOID = {"meta", "br", "img", "link", "input", "hr"}


class Checked(HTMLParser):
    """Every element is closed in order, ids are given once, and nothing is loaded from elsewhere."""

    def __init__(self):
        super().__init__()
        self.open, self.ids, self.foreign = [], [], []

    def handle_starttag(self, tag, attrs):
        known = dict(attrs)
        self.ids += [known["id"]] if "id" in known else []
        self.foreign += [v for k, v in attrs if k in ("src", "href") and not v.startswith(("#", "data:image/png;"))]
        self.foreign += [tag] if tag in ("script", "iframe", "link") else []
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def checked(text):
    found = Checked()
    found.feed(text)
    assert found.open == []
    assert len(found.ids) == len(set(found.ids))
    assert found.foreign == []
    return found


@pytest.fixture(scope="module")
def results():
    uses = [
        PolicyUse(use="uniform"),
        PolicyUse(use="lin_ts", label="few <b>", customers=40),
        PolicyUse(use="lin_ts", label="many", customers=120),
    ]
    return benchmark(Suite(name="tiny", worlds=["coupon_trap"], policy=uses, seeds=2, customers=60, horizon=28))


@pytest.fixture(scope="module")
def page(results):
    seconds = {f"coupon_trap/{p}/{s}": 1.0 + i for i, p in enumerate(results.suite.policies) for s in (0, 1)}
    part = world_part(results, "coupon_trap", "What it says.", seconds)
    return StudyPage("Tiny", "Is it?", "It is: 3 % <more>.", part.drawings[0], [part], made_of(results, seconds))


def test_a_page_needs_nothing_else_and_says_its_answer_first(page):
    text = page.html()
    checked(text)
    assert text == page.html(), "the same content gives the same text"
    assert len(text) < 3_000_000
    assert "It is: 3 % &lt;more&gt;." in text
    assert text.index("It is: 3 %") < text.index("<svg") < text.index("What it says.")
    assert "few &lt;b&gt;" in text
    assert "<b>" not in re.sub(r"<td class=\"num\">.*?</td>", "", text)


def test_a_world_has_forest_curves_pressure_and_profile_with_words_for_those_who_hear(page, results):
    (part,) = page.parts
    captions = [one.caption for one in part.drawings]
    assert [c.split()[0] for c in captions] == ["Difference", "What", "Contact", "Whom"]
    gains = {
        label: np.mean(list(results.values("coupon_trap", label, "gain").values())) for label in ("few <b>", "many")
    }
    assert f"lin_ts {gains['few <b>']:+.2f} to {gains['many']:+.2f}" in part.drawings[1].says
    weeks = results.values("coupon_trap", "uniform", "sends")
    assert f"uniform {np.mean(list(weeks.values())) / 4:.2f} a week" in part.drawings[2].says
    verdicts, measures = part.tables
    assert [row[0] for row in verdicts.rows] == results.suite.policies
    assert len(measures.rows) == len(results.measures)
    assert page.made["CPU"] == f"{2 * (1 + 2 + 3 + 4) / 60:.1f} minutes"


def test_without_seconds_a_curve_is_against_customers_alone(results):
    part = world_part(results, "coupon_trap", "", {})
    assert "CPU seconds" not in StudyPage("x", "", "", None, [part]).html()
    assert "CPU" not in made_of(results, {})


def test_a_notebook_shows_the_whole_page_in_a_frame_of_its_own(page):
    shown = page._repr_html_()
    assert shown.startswith("<iframe srcdoc=")
    inner = re.search(r'srcdoc="(.*?)" style', shown, re.S).group(1)
    assert html.unescape(inner) == page.html()


def test_a_page_too_large_to_hand_on_is_refused_and_not_written(tmp_path):
    big = StudyPage("Big", "", "", None, [Part("x", text="y" * 3_000_001)])
    with pytest.raises(UsageError, match="at most"):
        big.write(tmp_path / "big.html")
    assert list(tmp_path.iterdir()) == []


def test_mean_and_interval_by_hand():
    # 1, 2, 3: mean 2, sd 1, t(0.975, 2) = 4.3027
    assert mean_interval([1.0, 2.0, 3.0]) == pytest.approx(
        (2.0, 2.0 - 4.3027 / 3**0.5, 2.0 + 4.3027 / 3**0.5), abs=1e-4
    )
    assert np.isnan(mean_interval([1.0])[1])


def test_verdicts_of_a_log_and_budgets_are_drawn_each_in_its_own_mark():
    spots = [Judged(v, 0.1, 0.0, 0.2, 0.15, v) for v in ("trust", "caution", "refuse")]
    figure = estimates_against_truth([("a", spots), ("b", spots[:1])], "lift")
    marks = {line.get_marker() for line in figure.axes[0].lines} - {"None", ""}
    assert marks == {"o", "s", "X"}
    lines = [Line(f"p{i}", [1, 2], [0.0, 1.0], [-1.0, 0.0], [1.0, 2.0]) for i in range(8)]
    drawn = gain_by_budget(lines, 1.0, ("budget", "gain")).axes[0].lines[:8]
    told = {(line.get_linestyle(), line.get_marker(), line.get_color()) for line in drawn}
    assert len(told) == 8, "no two lines look the same"
    in_grey = {(line.get_linestyle(), line.get_marker()) for line in drawn}
    assert len(in_grey) == 8, "nor do they in black and white"
    assert len(over_time(lines, ("week", "sends")).axes[0].lines) == 8


# ------------------------------------------------------------------ any script


TOLD = """# What was found

Of 20 logs 19 hold the truth.

| world | **value** |
|---|---|
| bank | 1.5 |
| a | b | c |

plain lines
"""


def test_what_a_script_prints_becomes_its_page(tmp_path):
    (tmp_path / "one.png").write_bytes(
        png_bytes(over_time([Line("a", [1, 2], [1, 2], [np.nan] * 2, [np.nan] * 2)], ("x", "y")))
    )
    (tmp_path / "not.png").write_bytes(b"no picture")
    page = told_page("Does it hold?\n\nBy logs.", TOLD, sorted(tmp_path.glob("*.png")), {"Call": "python x.py"})
    checked(page.html())
    assert (page.title, page.question, page.answer) == ("Does it hold?", "By logs.", "Of 20 logs 19 hold the truth.")
    assert isinstance(page.lead.of, bytes)
    (part,) = page.parts
    assert part.title == "What was found"
    assert part.tables[0] == Table("", ["world", "value", ""], [["bank", "1.5", ""], ["a", "b", "c"]])
    assert part.text == "Of 20 logs 19 hold the truth.\n\n\nplain lines"
    assert Drawing(b"", "").says == ""


def test_json_and_tables_are_no_answer():
    assert answer_of('{\n "a": 1\n}\n| 3 |\n## 4 ways') == "4 ways"
    assert answer_of("nothing") == "What was found stands below."


@pytest.fixture
def script(monkeypatch):
    """A study as a script would be, in a module of its own."""

    def made(main):
        monkeypatch.setitem(sys.modules, "a_study", SimpleNamespace(__doc__="Is one more than none?\n\nBy counting."))
        main.__module__ = "a_study"
        return main

    return made


def test_a_study_ends_in_a_page_where_one_is_asked_for(tmp_path, monkeypatch, script, capsys):
    def main():
        words = study_words("About.", tmp_path, json=True)
        words.parse_args()
        (tmp_path / "new.png").write_bytes(
            png_bytes(over_time([Line("a", [1, 2], [1, 2], [np.nan] * 2, [np.nan] * 2)], ("x", "y")))
        )
        print("It is: 1 against 0.")

    monkeypatch.setattr(sys, "argv", ["/somewhere/experiments/counting.py", "--page", str(tmp_path / "p.html")])
    run_study(script(main))
    text = (tmp_path / "p.html").read_text()
    checked(text)
    assert capsys.readouterr().out == "It is: 1 against 0.\n"
    assert "Is one more than none?" in text
    assert '<p class="lead">It is: 1 against 0.</p>' in text
    assert "python experiments/counting.py --page" in text
    assert text.count("<img") == 1


def test_a_study_that_wrote_its_own_page_keeps_it(tmp_path, monkeypatch, script):
    def main():
        asked = study_words("About.", tmp_path).parse_args()
        StudyPage("Own", "", "Own answer 1.").write(asked.page)
        print("another 2")

    monkeypatch.setattr(sys, "argv", ["own.py", "--page", str(tmp_path / "p.html")])
    run_study(script(main))
    assert "Own answer 1." in (tmp_path / "p.html").read_text()


def test_a_study_that_is_not_asked_writes_no_page(tmp_path, monkeypatch, script):
    monkeypatch.setattr(sys, "argv", ["own.py"])
    run_study(script(lambda: study_words("About.", tmp_path).parse_args() and None))
    assert list(tmp_path.iterdir()) == []
