"""The pages in docs, without the decisions."""

from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(
    page.relative_to(DOCS).as_posix()
    for page in DOCS.rglob("*.md")
    if page.parent.name != "decisions"
)
