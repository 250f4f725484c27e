"""Workflows as JSON, found by ewoks through the entry point ``ewoks.workflows``."""
