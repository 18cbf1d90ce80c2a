"""Pictures of edited photographs: the astronaut's, and a generated face."""

import io

from PIL import Image

from docs.pictures.service import GAP, Service, astronaut, png, save, sheet

SHOWN = (90, 0, 390, 300)  # of the photograph of 512 x 512 pixels
LARGE = 256
DARK = (34, 36)  # seeds of faces that wear a dark frame
RECEIVER = 19
MASKED = (60, 70, 200, 140)


def draw(service: Service) -> None:
    """Make them."""
    photograph = astronaut()
    dark = [("worn", service.sample(seed)) for seed in DARK]
    me = [("me", photograph)]
    plain = service.arithmetic("me + 1.5*glasses", me, paste="true")
    worn = service.arithmetic("me + 1.5*glasses(worn)", [*me, dark[0]], paste="true")
    shop = service.arithmetic("me + 1.5*glasses(worn)", [*me, *dark], paste="true")
    save(_beside(photograph, plain, worn), "photograph.jpg")
    save(_beside(photograph, plain), "photograph-glasses.jpg")
    save(_beside(photograph, shop), "shop.jpg")
    _preserve(service, photograph)
    _inpaint(service)


def _preserve(service: Service, photograph: bytes) -> None:
    """The aligned photograph, its decode, the plain edit, the mask, and the preserved edit."""
    sum_, files = "me + 1.5*glasses", [("me", photograph)]
    # With a weight of 0 nothing changes, so that this is the aligned photograph itself.
    aligned = service.arithmetic("me + 0*glasses", files, preserve="1")
    row = [
        aligned,
        service.arithmetic("me", files),
        service.arithmetic(sum_, files),
        service.mask(sum_, files),
        service.arithmetic(sum_, files, preserve="1"),
    ]
    save(sheet([row], 180), "preserve.jpg")
    row = [aligned, *(service.arithmetic("me", files, detail=str(d)) for d in (0, 0.5, 1))]
    save(sheet([row], 220), "detail.jpg")


def _inpaint(service: Service) -> None:
    face = service.sample(RECEIVER)
    mask = Image.new("L", (LARGE, LARGE))
    mask.paste(255, MASKED)
    files = [("image", face), ("mask", png(mask))]
    draws = service.images("/inpaint", data={"n": "3", "seed": "1"}, files=files)
    save(sheet([[face, mask, *draws]]), "inpaint.jpg")


def _beside(*photographs: bytes) -> Image.Image:
    crops = [Image.open(io.BytesIO(image)).convert("RGB").crop(SHOWN) for image in photographs]
    side = crops[0].width
    image = Image.new("RGB", (len(crops) * (side + GAP) - GAP, side), "white")
    for i, crop in enumerate(crops):
        image.paste(crop, (i * (side + GAP), 0))
    return image
