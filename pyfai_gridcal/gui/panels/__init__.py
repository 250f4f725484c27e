"""Forms, tables and dialogs beside it."""
