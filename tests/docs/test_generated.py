"""What MkDocs adds to the pages."""

import json

import pytest
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File
from mkdocs.structure.pages import Page

from docs.generate import endpoints, hooks, repository
from docs.generate.formulas import with_mathml
from tests.reader import ROOT


def test_every_endpoint_and_field_is_on_the_page() -> None:
    page = f"\n{endpoints.text()}"
    for path, methods in json.loads((ROOT / "openapi.json").read_text())["paths"].items():
        for method in methods:
            assert f"\n## {method.upper()} {path}\n" in page
    for name in ("expression", "strength", "easing", "temperature", "detail", "hold"):
        assert f"\n| `{name}` |" in page
    assert "integer, 2 to 64" in page


@pytest.mark.parametrize(
    ("page", "text", "expected"),
    [
        ("index.md", "[t](tour.md)", "[t](tour.md)"),
        ("guides/gpu.md", "[d](../decisions/x.md#y)", "[d](../decisions/x.md#y)"),
        ("guides/gpu.md", "[m](../../models/faces/README.md)", "[m](../reference/models/faces.md)"),
        ("guides/gpu.md", "[o](../../openapi.json)", "[o](../files/openapi.json)"),
        ("guides/gpu.md", "all of [deploy](../../deploy).", "all of deploy."),
        ("guides/gpu.md", "[no](../../nothing.md)", "[no](../../nothing.md)"),
        ("guides/gpu.md", "[web](https://example.org)", "[web](https://example.org)"),
        ("reference/client.md", "[c](pyproject.toml)", "[c](../files/client/pyproject.toml)"),
        ("index.md", "```\n[o](../openapi.json)\n```", "```\n[o](../openapi.json)\n```"),
    ],
)
def test_links_point_at_what_the_site_has(page: str, text: str, expected: str) -> None:
    assert repository.with_site_links(page, text) == expected


def test_linked_files_are_those_without_a_page() -> None:
    text = "[a](../openapi.json) [b](../models/faces/README.md) [c](tour.md) [d](../deploy)"
    assert repository.linked_files("index.md", text) == {"openapi.json"}


def test_formulas_are_mathml() -> None:
    page = with_mathml(
        r'<p><span class="arithmatex">\(x &lt; 1\)</span></p><div class="arithmatex">\[y^2\]</div>'
    )
    assert "arithmatex" not in page
    assert 'display="inline"' in page
    assert 'display="block"' in page
    assert "<msup>" in page


@pytest.mark.parametrize(
    "element",
    [
        '<script src="https://cdn.example/x.js"></script>',
        '<link rel="stylesheet" href="//cdn.example/x.css">',
        '<img alt="" src="https://cdn.example/x.png">',
    ],
)
def test_a_page_that_loads_from_another_host_is_refused(element: str) -> None:
    config = MkDocsConfig()
    config.load_dict({"site_name": "x"})
    page = Page(None, File("index.md", "docs", "site", use_directory_urls=False), config)
    kept = '<a href="https://example.org">x</a><img src="a.png">'
    assert hooks.on_post_page(kept, page) == kept
    with pytest.raises(PluginError, match=r"index\.md loads from another host"):
        hooks.on_post_page(element, page)
