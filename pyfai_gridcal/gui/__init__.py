"""The windows: the only part that knows Qt.

What :mod:`.work` holds does without it.
"""

#: What other rooms may use of this one: module -> names.
# fmt: off
OPEN = {
    "application": ("application",),
    "calib2": ("main", "window_class"),
    "view": ("ResultWindow", "main"),
    "window": ("GridcalWindow", "main"),
    "work.edits": ("Edit",),
}
# fmt: on
