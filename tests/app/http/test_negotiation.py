import pytest

from app.http.negotiation import JSON, NPY, PNG, NotAcceptableError, negotiate

OFFERED = (JSON, NPY, PNG)


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("", JSON),
        ("*/*", JSON),
        ("image/*", PNG),
        ("IMAGE/PNG", PNG),
        ("application/*", JSON),
        ("application/*, application/json;q=0", NPY),  # the more specific range decides
        ("image/png;q=0.4, application/json;q=0.5", JSON),
        ("image/png ; q=0.9 , application/json;q=0.5", PNG),
        ("image/png;q=0.9, */*;q=0.1", PNG),
        ("text/html, image/webp, */*;q=0.1", JSON),
        ("image/png;q=nan, application/x-npy;q=0.1", NPY),
        ("image/png;q=inf, application/x-npy;q=0.1", NPY),
        ("image/png;q=many, application/x-npy;q=0.1", NPY),
        (",, image/png,", PNG),
    ],
)
def test_the_preferred_media_type_is_negotiated(accept: str, chosen: str) -> None:
    assert negotiate(accept, None, OFFERED) == chosen


@pytest.mark.parametrize("accept", ["text/html", "image/gif", "image/png;q=0", "*/*;q=0", "png"])
def test_a_media_type_that_is_not_offered_is_refused(accept: str) -> None:
    with pytest.raises(NotAcceptableError, match="application/json, application/x-npy, image/png"):
        negotiate(accept, None, OFFERED)


def test_format_overrides_accept() -> None:
    assert negotiate("image/png", "npy", OFFERED) == NPY
    assert negotiate("text/html", "png", OFFERED) == PNG
    for name in ("npy", "gif", "", "PNG", "image/png"):
        with pytest.raises(NotAcceptableError, match="choose from png, json"):
            negotiate("*/*", name, (PNG, JSON))
