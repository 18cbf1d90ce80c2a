"""The report as one HTML page beside its images."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from markdown_it import MarkdownIt

from vae.atomic_file import atomic_write

FILE = "index.html"
# Text of a card may come from the data, such as names of labels: it makes no links and no images.
DISABLED = ("link", "image", "autolink", "html_block", "html_inline", "reference")
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem;
  color: #222; background: #fff; overflow-wrap: break-word; }
table { border-collapse: collapse; display: block; overflow-x: auto; margin: 1rem 0; }
th, td { padding: .3rem .7rem; border-bottom: 1px solid #ddd; text-align: left;
  vertical-align: top; }
figure { margin: 1.5rem 0; overflow-x: auto; }
figcaption { margin-bottom: .4rem; }
td:nth-child(2):last-child { overflow-wrap: anywhere; }
td:nth-child(4):last-child { min-width: 14rem; }
img { max-width: 100%; height: auto; }
img.losses { min-width: 40rem; }
code { background: #f3f3f3; padding: 0 .2em; }
"""


def write(folder: Path, title: str, card: Sequence[str], captions: Mapping[str, str]) -> None:
    """Write ``index.html``; it refers to images of its own folder only.

    Args:
        folder: of the images; it is made if it is not there.
        title: of the page, as the browser shows it.
        card: lines of Markdown, whose tables become tables. Links, images and HTML in them stay
            text.
        captions: of the images that follow, by file name; one that is not there is left out.
    """
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table").disable(DISABLED)
    images = [_figure(name, text) for name, text in captions.items() if (folder / name).is_file()]
    body = markdown.render("\n".join(card)) + "\n".join(images)
    folder.mkdir(parents=True, exist_ok=True)
    text = (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width">\n<title>{escape(title)}</title>\n'
        f"<style>{STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )
    with atomic_write(folder / FILE) as file:
        file.write(text.encode())


def _figure(name: str, caption: str) -> str:
    text = escape(caption)
    return (
        f"<figure><figcaption>{text}</figcaption>"
        f'<img class="{escape(Path(name).stem)}" src="{escape(name)}" alt="{text}" loading="lazy">'
        "</figure>"
    )
