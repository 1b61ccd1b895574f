"""Pictures of README and site: the loop in two languages, drawn here, and first screens taken by a headless Chromium.

    python .ci/make_pictures.py            # the loop; and with chromium on the PATH, screens of the demo's pages
Not here: pictures of studies (experiments/), of what another budget would bring (`decide --what-if`).
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.sax.saxutils import escape

ROOT = Path(__file__).resolve().parents[1]
PICTURES = ROOT / "docs" / "pictures"
WIDTH, HEIGHT, BOX, TALL = 960, 425, 206, 84
FONT = "system-ui, -apple-system, 'Segoe UI', 'Noto Sans', 'PingFang SC', 'Microsoft YaHei', sans-serif"
INK, MUTED, BLUE, GREEN, ORANGE = "#1f2933", "#55606c", "#0072b2", "#00694b", "#a3340a"
# Column, row, colour: who works there; then heading, what, verb in both languages.
STATIONS = (
    (0, 0, BLUE, ("Exports", "orders, members, sends", "init"), ("导出数据", "订单、会员、触达", "init")),
    (
        1,
        0,
        BLUE,
        ("Profiles", "tags, consent, stage", "profile build"),
        ("客户画像", "标签、授权、阶段", "profile build"),
    ),
    (2, 0, BLUE, ("World", "how customers respond", "calibrate"), ("模拟世界", "客户如何回应", "calibrate")),
    (3, 0, BLUE, ("Policy", "bandits, RL, rules", "train"), ("策略", "赌博机、强化学习、规则", "train")),
    (
        3,
        1,
        GREEN,
        ("Can it be believed?", "trust, caution, refuse", "evaluate"),
        ("可信吗？", "可信、谨慎、拒绝", "evaluate"),
    ),
    (2, 1, ORANGE, ("Guard", "consent, caps, budget", "decide"), ("发送守则", "授权、频次、预算", "decide")),
    (
        1,
        1,
        ORANGE,
        ("A person releases", "send list, plan on a page", "approve"),
        ("由人放行", "发送名单、一页计划", "approve"),
    ),
    (0, 1, BLUE, ("Ledger", "sent, and what came back", "ledger add"), ("台账", "发了什么、回来什么", "ledger add")),
)
TITLES = (
    ("The loop", "Data flows one way; only what came back goes round again. The tool that sends is yours."),
    ("闭环", "数据单向流动；只有回来的结果再转一圈。负责发送的工具是你自己的。"),
)


def loop(language: int) -> str:
    """The loop as SVG: boxes in two rows, read like a clock; 0: English, 1: Chinese."""
    title, about = TITLES[language]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
        f' aria-label="{escape(title)}"'
        f' font-family="{FONT}">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" rx="10" fill="#ffffff"/>',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0 0 8 4 0 8z" fill="{MUTED}"/></marker></defs>',
        _text(30, 44, title, 22, INK, 650),
        _text(30, 70, about, 14.5, MUTED),
    ]
    places = [(30 + 231 * column, 120 + 190 * row) for column, row, *_ in STATIONS]
    parts += [_arrow(places[i], places[(i + 1) % len(places)]) for i in range(len(places))]
    for (x, y), (_, _, colour, *words) in zip(places, STATIONS, strict=True):
        heading, what, verb = words[language]
        parts += [
            f'<rect x="{x}" y="{y}" width="{BOX}" height="{TALL}" rx="8" fill="#f5f7f9" stroke="{colour}"'
            ' stroke-width="2"/>',
            _text(x + 14, y + 27, heading, 16.5, INK, 650),
            _text(x + 14, y + 48, what, 13.5, MUTED),
            _text(x + 14, y + 70, verb, 13, colour, 600, "ui-monospace, Menlo, Consolas, monospace"),
        ]
    return "\n".join([*parts, "</svg>", ""])


def _arrow(here: tuple[int, int], there: tuple[int, int]) -> str:
    (x, y), (a, b) = here, there
    if x == a:  # down on the right, up on the left
        start, end = (
            ((x + BOX // 2, y + TALL), (a + BOX // 2, b - 3))
            if b > y
            else ((x + BOX // 2, y), (a + BOX // 2, b + TALL + 3))
        )
    else:
        start, end = (
            ((x + BOX, y + TALL // 2), (a - 3, b + TALL // 2))
            if a > x
            else ((x, y + TALL // 2), (a + BOX + 3, b + TALL // 2))
        )
    way = f"M{start[0]} {start[1]} L{end[0]} {end[1]}"
    return f'<path d="{way}" stroke="{MUTED}" stroke-width="2" fill="none" marker-end="url(#tip)"/>'


def _text(x: int, y: int, words: str, size: float, colour: str, weight: int = 400, font: str = "") -> str:
    family = f' font-family="{font}"' if font else ""
    look = f'font-size="{size}" font-weight="{weight}" fill="{colour}"{family}'
    return f'<text x="{x}" y="{y}" {look}>{escape(words)}</text>'


def screens(browser: str) -> None:
    """First screens of the demo's report, and of the plan of its last morning."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        words = [sys.executable, "-m", "campaignrl", "demo", "-o", str(folder)]
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        pages = {"report": folder / "report.html", "plan": max(folder.glob("campaign/plans/*.html"), default=None)}
        for name, page in pages.items():
            if page is not None:
                screen(browser, page, PICTURES / f"{name}.png", 1060, 900)


def screen(browser: str, page: Path, target: Path, width: int, height: int) -> None:
    """What a window of a size shows of a page, in as few colours as it needs."""
    words = [
        browser,
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        "--force-prefers-reduced-motion",
    ]
    words += [f"--window-size={width},{height}", f"--screenshot={target}", page.resolve().as_uri()]
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    from PIL import Image  # matplotlib brings it

    with Image.open(target) as shot:
        shot.convert("RGB").quantize(96).save(target, optimize=True)


if __name__ == "__main__":
    PICTURES.mkdir(parents=True, exist_ok=True)
    for name, language in (("loop", 0), ("loop-zh", 1)):
        (PICTURES / f"{name}.svg").write_text(loop(language), encoding="utf-8")
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        print("no chromium on the PATH: the screens stay as they are")
    elif "--loop" not in sys.argv:
        screens(found)
