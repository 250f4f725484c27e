"""The windows: the only part that knows Qt.

What :mod:`.work` holds does without it.

Other rooms may use::

    application  application
    calib2       main, window_class
    view         ResultWindow, main
    window       GridcalWindow, main
    work.edits   Edit
"""
