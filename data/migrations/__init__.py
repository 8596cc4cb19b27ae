"""Alembic migrations: the one place where tables, constraints and triggers are made."""
