"""The work behind the windows, free of Qt.

What a person decided (:mod:`.state`, :mod:`.draft`, :mod:`.edits`), what follows from it and when it is computed again
(:mod:`.workspace`, :mod:`.cache`, by the verbs of :mod:`.core`), how it goes into files and comes back (:mod:`.store`,
:mod:`.results`), and what is drawn of it (:mod:`.views`, :mod:`.layers`, :mod:`.thinning`).
"""
