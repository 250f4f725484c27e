"""What fields say of themselves."""

from __future__ import annotations

from dataclasses import MISSING, dataclass, field

import pytest

from pyfai_gridcal.records.options import CLI, EWOKS, default_of, documented, like, option, option_of, options_of, told
from pyfai_gridcal.records.settings import Settings


@documented
@dataclass(frozen=True)
class Tea:
    """A cup.

    {attributes}
    """

    leaves: str = field(metadata=option("what is in it", metavar="NAME"))
    minutes: float = told(3.5, "how long (default: {default})", "positive", limits={"gt": 0})
    milk: bool = told(False, "with milk", "flag", doors=(CLI,))
    remark: str = "not for doors"


@dataclass(frozen=True)
class Pot:
    time: float = like(Tea, "minutes", doors=(EWOKS,))


def test_fields_are_ordinary_fields() -> None:
    assert Tea("oolong") == Tea("oolong", 3.5, False)
    assert default_of(Tea, "leaves") is MISSING
    assert default_of(Tea, "minutes") == 3.5


def test_doors_have_what_is_for_them() -> None:
    assert list(options_of(Tea)) == ["leaves", "minutes", "milk"]
    assert list(options_of(Tea, EWOKS)) == ["leaves", "minutes"]


def test_text_and_docstring_tell_the_default() -> None:
    assert option_of(Tea, "minutes").told(3.5) == "how long (default: 3.5)"
    assert "    minutes : how long (default: 3.5)\n    milk : with milk" in (Tea.__doc__ or "")


def test_like_another_field_but_for_what_is_said() -> None:
    assert Pot().time == 3.5
    assert option_of(Pot, "time").doors == (EWOKS,)
    assert option_of(Pot, "time").text == option_of(Tea, "minutes").text


@documented
@dataclass(frozen=True, kw_only=True)
class Job:
    """Something to be done.

    {attributes}
    """

    source: str = field(metadata=option("where from", "file"))
    width: float = told(0.25, "how wide, px (default: {default})", "positive", group="how", limits={"gt": 0})
    steps: tuple[int, ...] = field(default_factory=lambda: (1, 2), metadata=option("in which steps", "counts"))
    hidden: int = 3
    loud: bool = told(False, "tell all", "flag", doors=(CLI,))


@dataclass(frozen=True)
class Other:
    broad: float = like(Job, "width", text="how broad", doors=(EWOKS,))


def test_options_of_all_doors_and_of_one() -> None:
    assert list(options_of(Job)) == ["source", "width", "steps", "loud"]
    assert list(options_of(Job, EWOKS)) == ["source", "width", "steps"]
    assert "loud" in options_of(Job, CLI)


def test_defaults() -> None:
    assert default_of(Job, "source") is MISSING
    assert default_of(Job, "width") == Job(source="x").width == 0.25
    assert default_of(Job, "steps") == (1, 2)


def test_the_default_stands_in_the_text() -> None:
    assert option_of(Job, "width").told(0.25) == "how wide, px (default: 0.25)"
    assert option_of(Job, "source").told(MISSING) == "where from"


def test_docstring_tells_every_option_once() -> None:
    text = Job.__doc__ or ""
    assert "{attributes}" not in text
    assert "width : how wide, px (default: 0.25)" in text
    assert "hidden" not in text
    assert text.index("source :") < text.index("width :") < text.index("loud :")


def test_a_field_like_another_keeps_what_is_not_changed() -> None:
    one, other = option_of(Job, "width"), option_of(Other, "broad")
    assert (other.text, other.doors) == ("how broad", (EWOKS,))
    assert (other.kind, other.group, other.limits) == (one.kind, one.group, one.limits)
    assert Other().broad == 0.25


@pytest.mark.parametrize("name", ["source", "width"])
def test_options_are_those_of_the_class_not_of_its_text(name: str) -> None:
    assert options_of(Job)[name] is option_of(Job, name)


def test_units_of_the_settings() -> None:
    units = {name: one.unit for name, one in options_of(Settings).items() if one.unit}
    lengths = dict.fromkeys(("pitch", "pixel", "hole", "positions", "gap"), "m")
    assert units == {**lengths, "angle": "degrees", "origin": "px", "max_sigma": "px"}
    assert option_of(Settings, "pixel").placeholder == "LENGTH"
    assert option_of(Settings, "max_sigma").placeholder == "PX"
    assert option_of(Settings, "polarity").placeholder is None
