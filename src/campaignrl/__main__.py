"""The command itself, and `python -m campaignrl` where it is not on the path."""

import atexit
import contextlib
import os
import sys
from typing import NoReturn

from campaignrl.cli.main import main


def run() -> None:
    """Run the command line, and end without the interpreter's own end where a ledger's tables were read."""
    code: object = 0
    try:
        main()
    except SystemExit as end:
        code = end.code
    if "deltalake" not in sys.modules:
        sys.exit(code)  # type: ignore[arg-type]
    leave(code if isinstance(code, int) else int(code is not None))


def leave(code: int) -> NoReturn:
    """End this process, with what libraries asked to be done at its end, and without the interpreter's own end.

    The reader of a ledger's tables may still hold buffers in threads of its own, which must not be freed while the
    interpreter goes down.
    """
    atexit._run_exitfuncs()
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    run()
