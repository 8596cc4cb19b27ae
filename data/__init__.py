"""Importers, migrations and the sample place."""
