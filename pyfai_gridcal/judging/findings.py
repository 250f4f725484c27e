"""What a check found, and what it means for trust."""

from __future__ import annotations

from dataclasses import dataclass

from .dialects import Agreement


@dataclass(frozen=True)
class Opinion:
    """What a program makes of a file.

    Attributes
    ----------
    program : its name
    way : how the file was given to it
    found : how far that is from what is meant; None when the program cannot read the file
    trouble : why it cannot
    intended : the file is made for this program
    """

    program: str
    way: str
    found: Agreement | None
    trouble: str = ""
    intended: bool = True

    @property
    def wrong(self) -> bool:
        """Whether a program that the file is made for does not get what is meant."""
        return self.intended and (self.found is None or not self.found.agreed)


@dataclass(frozen=True)
class Finding:
    """Something about a file itself: `wrong`, or only worth knowing."""

    text: str
    wrong: bool = False
