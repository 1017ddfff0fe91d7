"""The commands that the package installs."""

import signal
import sys

from ._native import run_command_line


def _run(name: str) -> None:
    # Python would only note Ctrl-C, and act when the program is done; the programs have handlers of their own where they save.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(run_command_line([name, *sys.argv[1:]]))


def residual_flows() -> None:
    """`residual-flows train`, `residual-flows preprocess`."""
    _run("residual-flows")


def train() -> None:
    """`train`, the short name of `residual-flows train`."""
    _run("train")


def preprocess() -> None:
    """`preprocess`, the short name of `residual-flows preprocess`."""
    _run("preprocess")
