"""The versions of the database, by Alembic."""
