"""The windows: the only part that knows Qt.

What :mod:`.work` holds does without it.
"""
