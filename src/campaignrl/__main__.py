"""The command itself, and `python -m campaignrl` where it is not on the path."""

import contextlib
import os
import sys

from campaignrl.cli.main import main


def run() -> None:
    """Run the command line, and end without the interpreter's own end where a ledger's tables were read.

    Their reader may still hold buffers in threads of its own, which must not be freed while the interpreter goes down.
    """
    code: object = 0
    try:
        main()
    except SystemExit as end:
        code = end.code
    if "deltalake" not in sys.modules:
        sys.exit(code)  # type: ignore[arg-type]
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


if __name__ == "__main__":
    run()
