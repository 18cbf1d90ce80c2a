"""The pictures of the pages: ``python -m docs.pictures URL`` makes them with a running service."""
