"""LaTeX in pages (``$...$`` and ``$$...$$``) as MathML."""

import html
import re

from latex2mathml.converter import convert

# What pymdownx.arithmatex makes of it in its generic mode.
INLINE = re.compile(r'<span class="arithmatex">\\\((.*?)\\\)</span>', re.DOTALL)
DISPLAY = re.compile(r'<div class="arithmatex">\s*\\\[(.*?)\\\]\s*</div>', re.DOTALL)


def with_mathml(page: str) -> str:
    """The HTML of a page with its formulas as MathML.

    Raises:
        Exception: of latex2mathml, if a formula cannot be read.
    """
    page = INLINE.sub(lambda found: convert(html.unescape(found[1]).strip()), page)
    return DISPLAY.sub(lambda found: f'<div class="formula">{_block(found[1])}</div>', page)


def _block(text: str) -> str:
    return convert(html.unescape(text).strip(), display="block")
