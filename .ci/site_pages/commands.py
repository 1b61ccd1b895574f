"""The page of the command line: every verb with its arguments, options and examples, read from the commands.

Not here: the exit codes (tables.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from campaignrl.cli.main import VERBS, load_verb
from campaignrl.cli.terminal.examples import EXAMPLES

TITLE = """# The command line

Every verb has `--help`, and `--json` where it answers. Bad input is one line and an [exit code](tables.md#exit-codes).
"""


def verbs() -> Iterator[tuple[str, Any]]:
    """(`ledger add`, its command), in the order of `campaignrl --help`; a group comes before its parts."""
    for name in VERBS:
        command = load_verb(name)
        yield name, command
        for part, inner in getattr(command, "commands", {}).items():
            yield f"{name} {part}", inner


def page() -> str:
    """The page, one heading a verb."""
    return "\n".join([TITLE, *(_verb(name, command) for name, command in verbs())])


def _verb(name: str, command: Any) -> str:
    context = command.context_class(command, info_name=f"campaignrl {name}")
    depth = "##" if " " not in name else "###"
    parts = [f"{depth} campaignrl {name}\n", _text(command.help)]
    if getattr(command, "commands", None):
        parts.append("Parts: " + ", ".join(f"`{part}`" for part in command.commands) + ".\n")
        return "\n".join(parts)
    shown = [param for param in command.params if not getattr(param, "hidden", False)]
    usage = " ".join(command.collect_usage_pieces(context))
    parts += [f"```text\ncampaignrl {name} {usage}\n```\n", "| | default | meaning |\n|---|---|---|"]
    parts += [_row(param, context) for param in shown]
    parts += ["", "```text\n" + "\n".join(EXAMPLES[name]) + "\n```\n"] if name in EXAMPLES else [""]
    return "\n".join(parts)


def _row(param: Any, context: Any) -> str:
    label, told = param.get_help_record(context) or (param.human_readable_name, "")
    says = (getattr(param, "help", None) or told).replace("|", "\\|").replace("\n", " ")
    return f"| `{label}` | {'needed' if param.required else _default(param)} | {says} |"


def _default(param: Any) -> str:
    value = param.default
    if value is None or value is False or callable(value) or value in ((), []):
        return ""
    return f"`{value}`"


def _text(text: str | None) -> str:
    return "\n\n".join(" ".join(part.split()) for part in (text or "").replace("\b", "").split("\n\n")) + "\n"
