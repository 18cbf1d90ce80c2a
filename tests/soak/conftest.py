from tests.app.conftest import models

__all__ = ["models"]
