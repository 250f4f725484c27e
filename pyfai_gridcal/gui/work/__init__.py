"""The work behind the windows, free of Qt."""
