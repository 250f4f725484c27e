"""What is kept from the terminal comes back, whoever else keeps it at the same time."""

import logging
import os
import sys
import threading

from pyfai_gridcal.base.silence import muted, quiet, silenced_stdout


def overlapping(first, second):
    """Enter `first` in one thread, then `second` in another, and leave them in the same order."""
    inside, leave, out = threading.Event(), threading.Event(), []

    def hold():
        with first() as remarks:
            inside.set()
            leave.wait(10)
            logging.getLogger("some.package").warning("of the first")
        out.append(remarks)

    thread = threading.Thread(target=hold)
    thread.start()
    assert inside.wait(10)
    with second() as remarks:
        leave.set()
        thread.join(10)
        logging.getLogger("some.package").warning("of the second")
        print("not to be seen")
    return out[0], remarks


def test_overlapping_threads_leave_the_standard_output_as_it_was(capsys):
    for first in (muted, silenced_stdout, lambda: quiet("some")):
        before = sys.stdout
        overlapping(first, muted)
        assert sys.stdout is before
        print("seen")
    assert capsys.readouterr().out == "seen\n" * 3


def test_each_thread_has_its_own_remarks():
    logger = logging.getLogger("some.package")
    assert logger.propagate
    remarks = overlapping(lambda: quiet("some.package"), lambda: quiet("some.package"))
    assert remarks == (["of the first"], ["of the second"])
    assert logger.propagate
    assert not logger.handlers


def test_silence_ends(capfd):
    with silenced_stdout():
        os.write(1, b"hidden\n")
        print("hidden too")
    print("shown")
    os.write(1, b"shown too\n")
    assert sorted(capfd.readouterr().out.split("\n")) == ["", "shown", "shown too"]
