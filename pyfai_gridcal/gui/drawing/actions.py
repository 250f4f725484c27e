"""Actions of tool bars and menus, made from a table of what they are called and do."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from silx.gui import qt

from .artwork import icon


class Command(NamedTuple):
    """What an action says: its text, what it does in one sentence, and its short cut."""

    text: str
    tip: str = ""
    key: str | qt.QKeySequence.StandardKey = ""


def make_action(owner: qt.QWidget, name: str, command: Command, slot: Callable[[], object]) -> qt.QAction:
    """The action of a command, whose short cut is heard in `owner` and in all that is in it."""
    action = qt.QAction(command.text, owner)
    action.setObjectName(name)
    if command.tip:
        action.setToolTip(f"<b>{command.text}</b> ({command.key})<br/>{command.tip}")
    action.setShortcut(qt.QKeySequence(command.key))
    # Several of our widgets may live in one window (pyFAI-calib2): each hears its own keys only.
    action.setShortcutContext(qt.Qt.ShortcutContext.WidgetWithChildrenShortcut)
    action.triggered.connect(lambda _=False: slot())
    owner.addAction(action)
    return action


#: Size of icons: two bars of all tools fit above a plot on a small screen.
ICON = qt.QSize(20, 20)


class IconBar(qt.QToolBar):  # type: ignore[misc]
    """A tool bar of buttons that can be on or off, with our own icons, which follow the colours of the windows."""

    def __init__(self, name: str, title: str, parent: qt.QWidget | None):
        self._actions: dict[str, qt.QAction] = {}
        super().__init__(title, parent)
        self.setObjectName(f"toolbar-{name}")
        self.setIconSize(ICON)

    def addCommand(self, name: str, command: Command, slot: Callable[[bool], object], *, on: bool = False) -> None:
        """Add a button, whose icon is the file of its `name`; `slot` is told whether it is on."""
        action = make_action(self, name, command, lambda: None)
        action.setIcon(icon(name))
        action.setCheckable(True)
        action.setChecked(on)
        action.toggled.connect(slot)
        self._actions[name] = action

    def action(self, name: str) -> qt.QAction:
        """Button of a command."""
        return self._actions[name]

    def changeEvent(self, event: qt.QEvent) -> None:
        """Draw the icons again when the colours of the windows change."""
        super().changeEvent(event)
        if event.type() == qt.QEvent.Type.PaletteChange:
            for name, action in self._actions.items():
                action.setIcon(icon(name, palette=self.palette()))
