"""The windows: the only part that knows Qt. :mod:`.edits`, :mod:`.workspace` and :mod:`.layers` do without it."""
