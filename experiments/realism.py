"""Do the bundled worlds do what businesses report? Every published figure, measured, beside its band and source.

Writes the tables of docs/worlds.md between their marks, and the picture beside it.

    python experiments/realism.py --docs docs/worlds.md --workers 2
    python experiments/realism.py --worlds bank --customers 2000 -o runs/realism
"""

import io
import re
from pathlib import Path

from PIL import Image

from campaignrl.calibration import realism_table
from campaignrl.report.figures import png_bytes, published_figure
from campaignrl.specs import bundled_files, load_world
from campaignrl.suites import run_cells, run_study, study_words, write_files

CUSTOMERS = 40_000  # of every measurement
PICTURE = "worlds_realism.png"
MARKS = "<!-- realism: {} -->"


def measured(cell):
    """The table of one world."""
    name, customers, seed = cell
    return realism_table(name, customers=customers, seed=seed)


def study(worlds, customers, seed, workers):
    """The table of every world, in order."""
    return run_cells(measured, [(name, customers, seed) for name in worlds], workers=workers)


def number(value):
    """Three digits; nothing where there is none."""
    return "" if value != value else f"{value:.3g}"


def cell(row):
    """A figure, half its 95 % interval, and its band; outside in bold, a known miss with an asterisk."""
    if row is None or row.measured != row.measured:
        return ""
    band = f" ({number(row.low)}-{number(row.high)})" if row.low == row.low else ""
    star, bold = ("*" if row.verdict == "known miss" else ""), ("**" if row.verdict == "outside" else "")
    half = (row.ci_high - row.ci_low) / 2
    return f"{bold}{number(row.measured)}{star}{bold} ±{half:.1g}{band}"


def table(tables):
    """One row a figure, one column a world."""
    rows = [{row.figure: row for row in found.rows} for found in tables]
    ids = dict.fromkeys(name for found in rows for name in found)
    judged = [found.business != "study" for found in tables]
    wanted = [i for i in ids if any(i in f and (f[i].low == f[i].low) >= j for f, j in zip(rows, judged, strict=True))]
    lines = [f"| figure | {' | '.join(found.world for found in tables)} | source |", "|---" * (len(tables) + 2) + "|"]
    for i in wanted:
        known = next(found[i] for found in rows if i in found)
        source = f"{known.source} [{known.sure}]" if known.source else ""
        lines.append(f"| {i} | {' | '.join(cell(found.get(i)) for found in rows)} | {source} |")
    return "\n".join(lines)


def misses(tables):
    """The named misses of all worlds, each with its reason."""
    named = [f"- {t.world}, {r.figure}: {r.reason}" for t in tables for r in t.rows if r.verdict == "known miss"]
    return "\n".join(named) or "None."


def parts(tables):
    """What stands between the marks of the page."""
    businesses = [found for found in tables if found.business != "study"]
    studies = [found for found in tables if found.business == "study"]
    return {"businesses": table(businesses), "misses": misses(businesses), "studies": table(studies)}


def inserted(page, found):
    """The page with these parts between their marks."""
    for name, text in found.items():
        begin, end = re.escape(MARKS.format(name)), re.escape(MARKS.format("end"))
        page = re.sub(rf"({begin}\n).*?({end})", lambda m, new=text: f"{m[1]}{new}\n{m[2]}", page, flags=re.DOTALL)
    return page


def in_few_colours(picture: bytes) -> bytes:
    """A picture of dots and words needs no more than two dozen colours, and a quarter of the bytes."""
    out = io.BytesIO()
    with Image.open(io.BytesIO(picture)) as found:
        found.convert("RGB").quantize(24).save(out, "png", optimize=True)
    return out.getvalue()


def main(argv=None):
    """The command line."""
    words = study_words(__doc__, "runs/realism", workers=1)
    words.add_argument("--worlds", nargs="+", default=sorted(bundled_files("envs")), help="default: all bundled ones")
    words.add_argument("--customers", type=int, default=CUSTOMERS)
    words.add_argument("--seed", type=int, default=0)
    words.add_argument("--docs", type=Path, help="page with the marks, written again")
    given = words.parse_args(argv)
    tables = study(given.worlds, given.customers, given.seed, given.workers)
    businesses = [found for found in tables if load_world(found.world).business != "study"]
    found = parts(tables)
    files = {
        "realism.md": "\n\n".join(found.values()) + "\n",
        PICTURE: in_few_colours(png_bytes(published_figure(businesses), dpi=90)),
    }
    write_files(given.output, files)
    if given.docs is not None:
        page = inserted(given.docs.read_text(encoding="utf-8"), found)
        write_files(given.docs.parent, {given.docs.name: page, PICTURE: files[PICTURE]})
    print(found["businesses"])


if __name__ == "__main__":
    run_study(main)
