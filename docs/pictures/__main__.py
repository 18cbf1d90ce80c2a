"""``python -m docs.pictures URL``: write the pictures of the pages into docs/images.

The service at URL has ``LORGNETTE_MODELS=models/faces,models/avatars``. The screenshot needs
Debian's ``chromium``.
"""

import sys

from docs.pictures import drawings, faces, photographs, playground
from docs.pictures.service import Service

if __name__ == "__main__":
    service = Service(sys.argv[1])
    for pictures in (photographs, faces, drawings):
        pictures.draw(service)
    playground.draw(sys.argv[1])
