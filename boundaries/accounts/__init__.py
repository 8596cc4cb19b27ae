"""Accounts: who signs in, with what, as what, and where."""
