"""Events of MkDocs (``hooks`` in mkdocs.yml): generated pages, linked files, formulas, checks.

https://www.mkdocs.org/user-guide/configuration/#hooks
"""

import re
from collections.abc import Callable
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.nav import Navigation
from mkdocs.structure.pages import Page

from docs.generate import commands, endpoints, repository, settings_table
from docs.generate.formulas import with_mathml

GENERATED: dict[str, Callable[[], str]] = {
    "endpoints": endpoints.text,
    "settings": settings_table.text,
    "commands": commands.text,
}
MARKER = re.compile(r"^<!-- generated: (\w+) -->$", re.MULTILINE)
LOADED = re.compile(r"<(?:script|img|iframe|source|link)\b[^>]*?(?:src|href)=\"?(https?:)?//[^>]*>")
NO_REQUEST = 'rel="canonical"'


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add the decisions to the navigation, in order."""
    folder = Path(config.docs_dir, "decisions")
    pages = [f"decisions/{file.name}" for file in sorted(folder.glob("*.md"))]
    config.nav = [*(config.nav or []), {"Decisions": pages}]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages from elsewhere in the repository, and the files that pages link."""
    for source, path in repository.PAGES.items():
        text = (repository.ROOT / source).read_text()
        files.append(File.generated(config, path, content=text))
    for file in list(files.documentation_pages()):
        for target in repository.linked_files(file.src_uri, file.content_string):
            path = repository.site_path(target)
            if files.get_file_from_path(path) is None:
                added = File.generated(config, path, abs_src_path=str(repository.ROOT / target))
                files.append(added)
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Point links at what the site has, and fill in what is generated."""
    markdown = MARKER.sub(lambda found: GENERATED[found[1]](), markdown)
    return repository.with_site_links(page.file.src_uri, markdown)


def on_page_content(html: str, **_: object) -> str:
    """Formulas as MathML, which browsers draw without a script."""
    return with_mathml(html)


def on_post_page(output: str, page: Page, **_: object) -> str:
    """Refuse a page that would load something from another host.

    Raises:
        PluginError: with the element.
    """
    for found in LOADED.finditer(output):
        if NO_REQUEST not in found[0]:
            raise PluginError(f"{page.file.src_uri} loads from another host: {found[0]}")
    return output


def on_nav(nav: Navigation, files: Files, **_: object) -> Navigation:
    """Refuse a page that the navigation lacks.

    Raises:
        PluginError: with the pages.
    """
    named = {page.file.src_uri for page in nav.pages}
    missing = {file.src_uri for file in files.documentation_pages()} - named
    if missing:
        raise PluginError(f"not in the navigation of mkdocs.yml: {', '.join(sorted(missing))}")
    return nav
