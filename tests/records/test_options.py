"""What fields say of themselves."""

from __future__ import annotations

from dataclasses import MISSING, dataclass, field

from pyfai_gridcal.records.options import (
    CLI,
    EWOKS,
    default_of,
    documented,
    like,
    option,
    option_of,
    options_of,
    told,
)


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
