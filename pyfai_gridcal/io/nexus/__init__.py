"""The result file: a NeXus detector for pyFAI with everything it was made from."""
