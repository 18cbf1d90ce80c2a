"""Links of pages to files of the repository: to their pages, or to copies in the site."""

import re
from pathlib import Path, PurePosixPath
from posixpath import normpath, relpath

ROOT = Path(__file__).parents[2]

# Pages that are elsewhere in the repository, and where the site has them.
PAGES = {
    "CHANGELOG.md": "development/changelog.md",
    "CONTRIBUTING.md": "development/contributing.md",
    "benchmarks/README.md": "development/benchmarks.md",
    "benchmarks/results/comparison.md": "development/comparison.md",
    "benchmarks/results/curves.md": "development/curves.md",
    "benchmarks/results/detail.md": "development/detail.md",
    "benchmarks/results/detection.md": "development/detection.md",
    "benchmarks/results/inpainting.md": "development/inpainting.md",
    "client/README.md": "reference/client.md",
    "examples/README.md": "guides/examples.md",
    "models/avatars/README.md": "reference/models/avatars.md",
    "models/face_detector/README.md": "reference/models/face_detector.md",
    "models/faces/README.md": "reference/models/faces.md",
}
SOURCES = {path: source for source, path in PAGES.items()}

FENCE = re.compile(r"^( *)```.*?^\1```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(!?\[(?:[^\[\]]|\[[^\]]*\])*\])\((?!https?:|mailto:|#)([^)#\s]+)(#[^)\s]*)?\)")


def linked_files(page: str, text: str) -> set[str]:
    """Files of the repository that a page of the site links and that are no pages of it."""
    targets = {_target(page, found[2]) for found in LINK.finditer(FENCE.sub("", text))}
    return {
        target
        for target in targets
        if not target.startswith("docs/") and target not in PAGES and (ROOT / target).is_file()
    }


def site_path(target: str) -> str:
    """Where the site has a file of the repository."""
    if target in PAGES:
        return PAGES[target]
    return target.removeprefix("docs/") if target.startswith("docs/") else f"files/{target}"


def with_site_links(page: str, text: str) -> str:
    """The text of a page with links that work in the site.

    A link to a folder of the repository becomes its text: the site has files only. A link to what
    is not there stays, and MkDocs reports it.
    """

    def link(found: re.Match[str]) -> str:
        label, path, anchor = found[1], found[2], found[3] or ""
        target = _target(page, path)
        if (ROOT / target).is_dir():
            return label.strip("[]")
        if not (target.startswith("docs/") or (ROOT / target).is_file()):
            return found[0]
        start = str(PurePosixPath(page).parent)
        return f"{label}({relpath(site_path(target), start)}{anchor})"

    parts, end = [], 0
    for fence in FENCE.finditer(text):
        parts += [LINK.sub(link, text[end : fence.start()]), fence[0]]
        end = fence.end()
    return "".join([*parts, LINK.sub(link, text[end:])])


def _target(page: str, path: str) -> str:
    """The path in the repository that a link on a page of the site means."""
    source = SOURCES.get(page, f"docs/{page}")
    return normpath(str(PurePosixPath(source).parent / path))
