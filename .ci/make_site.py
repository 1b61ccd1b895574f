"""Build the site, in English and Chinese, without a network: python .ci/make_site.py [FOLDER].

Stages docs/ and the generated reference (site_pages/), runs mkdocs strictly once for each language, and refuses a page
that asks another host for anything. The folder opens from a disk as well as from a server.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from site_pages import api, commands, keys, navigation, notebooks, staging, tables

ROOT = Path(__file__).resolve().parents[1]
THEME = ROOT / "docs" / "site" / "theme"
GENERATED = {"api": api.page, "commands": commands.page, "keys": keys.page, "tables": tables.page}
SHIM = "https://unpkg.com/iframe-worker/shim"
FOREIGN = re.compile(
    r"""<(?:script|img|iframe|source|link(?=[^>]*(?:stylesheet|preload|preconnect|icon)))\b[^>]*\b(?:src|href)=["']?(https?:)?//"""
)
CODE = re.compile(r"<pre>(?=(?:<span></span>)?<code>)")  # reached by keyboard, since wide blocks scroll
SEARCH = {False: "Search", True: "搜索"}
# The screen's own colours first, until a reader chooses: scheme, its picture, and what the switch then leads to.
COLOURS = {
    "(prefers-color-scheme)": ("", "brightness-auto", ("To light colours", "切换为浅色")),
    "(prefers-color-scheme: light)": ("default", "weather-sunny", ("To dark colours", "切换为深色")),
    "(prefers-color-scheme: dark)": ("slate", "weather-night", ("To the screen's own colours", "跟随系统深浅色")),
}
EXTENSIONS = [
    *(
        "admonition",
        "tables",
        "attr_list",
        "md_in_html",
        "pymdownx.details",
        "pymdownx.highlight",
        "pymdownx.superfences",
    ),
    {"toc": {"permalink": True}},
]


def config(folder: Path, pages: list[str], chinese: bool, target: Path) -> dict[str, object]:
    """What mkdocs is told; JSON, which is YAML."""
    python = {
        "paths": [str(ROOT / "src")],
        "options": {"docstring_style": "google", "show_source": False, "separate_signature": True},
    }
    return {
        "site_name": "campaignrl",
        "site_description": "Learn which offer to send to whom on which channel, prove it on logs, decide safely.",
        "docs_dir": str(folder),
        "site_dir": str(target),
        "use_directory_urls": False,
        "strict": True,
        "nav": navigation.navigation(pages, chinese),
        "theme": {
            "name": "material",
            "custom_dir": str(THEME),
            "font": False,
            "language": "zh" if chinese else "en",
            "palette": palette(chinese),
            "features": ["navigation.indexes", "navigation.top", "content.code.copy", "search.suggest"],
        },
        "plugins": [
            {"search": {"lang": ["en", "zh"] if chinese else "en"}},
            "offline",
            {"mkdocstrings": {"handlers": {"python": python}}},
        ],
        "markdown_extensions": EXTENSIONS,
        "extra_css": ["assets/site.css"],
        "extra_javascript": ["assets/site.js"],
        "extra": {"generator": False, "chinese": chinese, "alternate": True},
        "validation": {"links": {"anchors": "warn", "unrecognized_links": "warn", "not_found": "warn"}},
    }


def palette(chinese: bool) -> list[dict[str, object]]:
    """The choices of colour."""
    return [
        {"media": media, "toggle": {"icon": f"material/{icon}", "name": names[chinese]}}
        | ({"scheme": scheme} if scheme else {})
        for media, (scheme, icon, names) in COLOURS.items()
    ]


def stage(folder: Path, chinese: bool) -> list[str]:
    """Everything that mkdocs reads; the pages."""
    pages = staging.stage(folder, chinese)
    made = {f"reference/{name}.md": page() for name, page in GENERATED.items()} | notebooks.pages()
    for name, text in made.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return sorted([*pages, *made])


def build(target: Path) -> None:
    """Both languages at once, Chinese under zh/; an exit with mkdocs' words where one fails."""
    with tempfile.TemporaryDirectory() as place:
        running = [started(Path(place), chinese) for chinese in (False, True)]
        said = [each.communicate()[0] for each in running]
        if any(each.returncode for each in running):
            sys.exit("\n".join(said))
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(Path(place) / "built-en", target)
        shutil.copytree(Path(place) / "built-zh", target / "zh")
    for page in target.rglob("*.html"):
        keep_at_home(page, target)


def started(place: Path, chinese: bool) -> subprocess.Popen[str]:
    """Mkdocs at work on one language."""
    language = "zh" if chinese else "en"
    told = config(place / language, stage(place / language, chinese), chinese, place / f"built-{language}")
    file = place / f"{language}.yml"
    file.write_text(json.dumps(told, ensure_ascii=False), encoding="utf-8")
    words = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-f", str(file)]
    env = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONWARNINGS": "ignore"}
    return subprocess.Popen(words, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def keep_at_home(page: Path, root: Path) -> None:
    """The search of pages opened from a disk by our own copy of its shim; an exit for a page that asks another host."""
    text = page.read_text(encoding="utf-8")
    own = os.path.relpath(root / "assets" / "iframe-worker.js", page.parent)
    text = CODE.sub('<pre tabindex="0">', text.replace(SHIM, own))
    text = text.replace(
        ' role="dialog">', f' role="dialog" aria-label="{SEARCH["zh" in page.relative_to(root).parts]}">'
    )
    if wrong := FOREIGN.search(text):
        sys.exit(f"{page.relative_to(root)} asks another host: {wrong[0]}")
    page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    build(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build" / "site")
