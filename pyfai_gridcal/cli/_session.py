"""One run of a command: what is logged, and what becomes of its errors."""

from __future__ import annotations

import argparse
import codecs
import contextlib
import io
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

from ..base.errors import GridcalError, UsageError

#: Package that is missing -> the extra that brings it.
EXTRAS = {
    "PySide6": "gui",
    "qtawesome": "gui",
    "PyQt5": "gui",
    "ewokscore": "ewoks",
    "ewoks": "ewoks",
    "ewoksdask": "dask",
    "dask": "dask",
    "distributed": "dask",
    "shtab": "completion",
}
OTHERS = ("pyFAI", "silx", "fabio", "h5py", "matplotlib", "PIL")
INTERRUPTED = 130


#: What stands for signs that a terminal cannot show; an escape for others, as of the names of files.
PLAIN = {"µ": "u", "μ": "u", "°": " deg", "±": "+-", "×": "x", "…": "...", "→": "->", "²": "^2", "—": "-", "–": "-"}


def _in_plain_signs(error: UnicodeError) -> tuple[str, int]:
    """An error handler of codecs."""
    assert isinstance(error, UnicodeEncodeError)
    signs = error.object[error.start : error.end]
    return "".join(PLAIN.get(one) or one.encode("ascii", "backslashreplace").decode() for one in signs), error.end


codecs.register_error("pyfai-gridcal", _in_plain_signs)


@contextlib.contextmanager
def plain_where_needed() -> Iterator[None]:
    """Let no output fail because the terminal, or a pipe, has an encoding without µ and °."""
    streams = [one for one in (sys.stdout, sys.stderr) if isinstance(one, io.TextIOWrapper)]
    before = [one.errors for one in streams]
    for one in streams:
        one.reconfigure(errors="pyfai-gridcal")
    try:
        yield
    finally:
        for one, errors in zip(streams, before, strict=True):
            with contextlib.suppress(OSError, ValueError):  # nobody reads it any more
                one.reconfigure(errors=errors)


@dataclass
class Outcome:
    """Exit status of a command."""

    status: int = 0


def tell(text: str) -> None:
    """Say something on standard error, in one line."""
    with contextlib.suppress(OSError, ValueError):
        print(f"pyFAI-gridcal: {' '.join(text.split())}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def session(options: argparse.Namespace) -> Iterator[Outcome]:
    """Run the body with logging set up, and turn what it raises into a message and an exit status."""
    outcome = Outcome()
    verbose, debug = getattr(options, "verbose", 0) or 0, getattr(options, "debug", False)
    with _logging(verbose), _warnings(verbose):
        try:
            yield outcome
            sys.stdout.flush()
        except UsageError as error:
            outcome.status = _failed(error, 2, debug)
        except GridcalError as error:
            outcome.status = _failed(error, 1, debug)
        except KeyboardInterrupt:
            tell("interrupted")
            outcome.status = INTERRUPTED
        except BrokenPipeError:
            # Whoever read our output has left, as `head` does; keep Python from trying again when it exits.
            with contextlib.suppress(OSError, ValueError, AttributeError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except SystemExit:
            raise
        except Exception as error:
            outcome.status = _unexpected(error, debug)


def _failed(error: Exception, status: int, debug: bool) -> int:
    if debug:
        logging.getLogger(__name__).debug("where it came from", exc_info=error)
        import traceback

        traceback.print_exception(error)
    tell(f"error: {error}")
    for note in dict.fromkeys(getattr(error, "__notes__", ())):
        tell(f"note: {note}")
    return status


def _unexpected(error: Exception, debug: bool) -> int:
    missing = _missing(error)
    if missing in EXTRAS:
        tell(f"error: this needs {missing}; python3 -m pip install 'pyfai-gridcal[{EXTRAS[missing]}]'")
        return 1
    if debug:
        import traceback

        traceback.print_exception(error)
    if isinstance(error, MemoryError):
        tell("error: not enough memory")
    elif isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        tell(f"error: {where}{error.strerror or error}")
    else:
        hint = "" if debug else " (use --debug to see where)"
        tell(f"unexpected error: {type(error).__name__}: {error}{hint}")
    return 1


def _missing(error: Exception) -> str:
    """Package that an import did not find."""
    if isinstance(error, ImportError) and "No Qt wrapper" in str(error):  # what silx says
        return "PySide6"
    return (error.name or "").split(".")[0] if isinstance(error, ModuleNotFoundError) else ""


@contextlib.contextmanager
def _logging(verbose: int) -> Iterator[None]:
    """Log to standard error: our warnings always, more with -v; of other packages only with -vv."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    own, others = logging.getLogger(__package__.split(".")[0]), [logging.getLogger(name) for name in OTHERS]
    levels = [(log, log.level) for log in (own, *others)]
    root = logging.getLogger()
    root.addHandler(handler)
    own.setLevel([logging.WARNING, logging.INFO, logging.DEBUG][min(verbose, 2)])
    for log in others:
        log.setLevel([logging.CRITICAL, logging.ERROR, logging.INFO][min(verbose, 2)])
    try:
        yield
    finally:
        root.removeHandler(handler)
        for log, level in levels:
            log.setLevel(level)


@contextlib.contextmanager
def _warnings(verbose: int) -> Iterator[None]:
    """Python's warnings are for developers: shown with -v, or as asked for by -W or PYTHONWARNINGS."""
    if verbose or sys.warnoptions or "pytest" in sys.modules:
        yield
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
