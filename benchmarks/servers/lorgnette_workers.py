"""Lorgnette as a factory, for uvicorn to run in several processes."""

from fastapi import FastAPI

from app.main import create_app
from app.settings import Settings


def create() -> FastAPI:
    """The application with settings from the environment."""
    return create_app(Settings())
