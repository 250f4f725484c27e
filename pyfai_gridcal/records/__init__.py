"""The nouns: frozen, without a verb that reads a file."""
