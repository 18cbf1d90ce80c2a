"""Multipart forms that are broken, or hostile on purpose."""

from collections.abc import Iterator

from tests.hostile.cases import BOUNDARY, FORM, Case, closed, file_part, part
from tests.hostile.formats import dot, flat_png, gif, png, whole

IMAGE = file_part("image", dot())


def broken_forms() -> Iterator[Case]:
    """Multipart that is no multipart."""
    edge = f"--{BOUNDARY}".encode()
    bodies = {
        "nothing": b"",
        "no end": IMAGE,
        "half an end": IMAGE + edge + b"-",
        "another boundary": closed(IMAGE).replace(BOUNDARY.encode(), b"other"),
        "no headers": edge + b"\r\n\r\nx\r\n" + closed(),
        "no disposition": edge + b"\r\nContent-Type: image/png\r\n\r\nx\r\n" + closed(),
        "no name": closed(part(b'filename="a"', b"x")),
        "line feeds": closed(IMAGE).replace(b"\r\n", b"\n"),
        "a header of megabytes": closed(part(b'name="image"; x="' + b"y" * 4_000_000 + b'"', b"")),
        "a thousand headers": closed(part(b'name="image"', b"", b"X-A: b\r\n" * 1000)),
        "a folded header": closed(part(b'name="image";\r\n filename="a"', b"x")),
        "a header without colon": closed(part(b'name="image"', b"x", b"nonsense\r\n")),
        "boundaries alone": (edge + b"\r\n") * 100_000,
        "a million parts": part(b'name="image"', b"") * 10_000 + closed(),
        "line ends": b"\r\n" * 1_000_000,
        "almost boundaries": closed(file_part("image", (b"\r\n" + edge[:-1]) * 400_000)),
        "a file twice nested": closed(file_part("image", closed(IMAGE))),
    }
    paths = ("/encode", "/reconstruct", "/interpolate", "/arithmetic", "/sample", "/inpaint")
    for path in (*paths, "/score"):
        for name, body in bodies.items():
            yield Case(f"form of {name} to {path}", path, body, FORM, bad=True)
    for kind in ("", "; boundary", "; boundary=", "; boundary=" + "b" * 5000, "; boundary=\x7f"):
        headers = {"Content-Type": "multipart/form-data" + kind}
        yield Case(f"form with boundary {kind[:20]!r}", "/encode", IMAGE, headers, bad=True)


def part_names() -> Iterator[Case]:
    """Names and filenames that mean to get out of their place."""
    names = [
        *(b"../../etc/passwd", b"..\\..\\a", b"/dev/null", b"C:\\a", b"a\0b", b"\xff\xfe", b""),
        *(b"%0d%0aSet-Cookie: a=b", b'a\\"b', b"a" * 4000, b"\xe2\x80\xaegnp", b"CON", b"~root"),
        *(b"<script>", b"$(id)", b"a\tb", b"__proto__", b"operands", b"image[]", b"#/image"),
    ]
    for name in names:
        disposition = b'name="' + name + b'"'
        yield Case(
            f"filename {name[:20]!r}", "/encode", closed(file_part("image", dot(), name)), FORM
        )
        for path in ("/encode", "/interpolate", "/arithmetic", "/sample"):
            for data in (b"1", b'{"seed": 1}'):
                body = closed(IMAGE, part(disposition, data))
                yield Case(f"part {name[:20]!r} to {path}", path, body, FORM, bad=True)
    lines = b'name="image"; filename="a\r\nX-Evil: 1"'
    yield Case("a line break in a filename", "/encode", closed(part(lines, dot())), FORM)
    twice = closed(part(b'name="fit"', b"pad"), part(b'name="fit"', b"crop"), IMAGE)
    yield Case("a field twice", "/encode", twice, FORM, bad=True)


def masks() -> Iterator[Case]:
    """Masks that are none, or none of their image."""
    image = file_part("image", whole("PNG"))
    sent = {
        "of one pixel": dot(),
        "of one row": flat_png(40, 1, 1),
        "turned": whole("PNG", (24, 40)),
        "that is black": flat_png(40, 24, 1),
        "of many pixels": flat_png(6_000, 6_000, 1),
        "that says it has more pixels than there are": png(2**31 - 1, 2**31 - 1),
        "that is a video": gif(40, 24, frames=5_000),
        "that is its name": b"mask.png",
        "that is empty": b"",
        "that is a form": closed(image),
    }
    for name, data in sent.items():
        body = closed(image, file_part("mask", data))
        yield Case(f"a mask {name}", "/inpaint", body, FORM, bad=True)
    text = part(b'name="mask"', b'{"seed": 1}')
    for name, parts in {
        "that is a seed": (image, text),
        "twice": (image, image, file_part("mask", whole("PNG"))),
        "without an image": (file_part("mask", whole("PNG")),),
        "of two images": (image, *(2 * [file_part("mask", whole("PNG"))])),
        "and much more": (*(60 * [image]), *(60 * [file_part("mask", whole("PNG"))])),
    }.items():
        yield Case(f"a mask {name}", "/inpaint", closed(*parts), FORM, bad=True)
    good = file_part("mask", whole("PNG"))
    fields = {"n": b"64", "seed": str(2**53 - 64).encode(), "size": b"1024", "format": b"zip"}
    for name, value in fields.items():
        body = closed(image, good, part(f'name="{name}"'.encode(), value))
        yield Case(f"a mask with {name}", "/inpaint", body, FORM, bad=name == "format")
