"""Markdown drawn as safe markup: no HTML of its own, no pictures, and links to web pages and mail addresses alone."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from signoff.server.forms.words import Html, paragraphs, tag, text

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.renderer import RendererHTML
    from markdown_it.token import Token
    from markdown_it.utils import OptionsDict

LONGEST: Final = 10_000
"""Characters that are read as Markdown; what is longer is shown as written. What is odd takes 0.1 s at that size."""

_LINKS: Final = ("http://", "https://", "mailto:")
_CLASSES: Final = {"text-align:right": "end", "text-align:center": "center"}


def formatted(words: str) -> Html:
    """Return Markdown as markup.

    Example:
        >>> formatted("*Look* <b>")
        '<div class="said"><p><em>Look</em> &lt;b&gt;</p>\\n</div>'
    """
    drawn = Html(_reader().render(words)) if len(words) <= LONGEST else paragraphs(words)
    return tag("div", drawn, class_="said")


@lru_cache(maxsize=1)
def _reader() -> MarkdownIt:
    from markdown_it import MarkdownIt  # noqa: PLC0415 - 40 ms, for who opens a link

    reader = MarkdownIt("commonmark", {"html": False, "breaks": True})
    reader.enable(["table", "strikethrough"])
    reader.validateLink = lambda url: url.lower().startswith(_LINKS)  # type: ignore[method-assign]
    reader.core.ruler.push("signoff", lambda state: _adapt(state.tokens))
    reader.add_render_rule("image", _picture)
    return reader


def _adapt(tokens: Sequence[Token]) -> None:
    """Put headings below the page's own, open links beside the page, and take styles away, which its policy forbids."""
    linked = 0
    for token in tokens:
        linked += token.nesting if token.type in {"link_open", "link_close"} else 0
        if token.type == "image":
            token.meta["linked"] = linked > 0
        elif token.type in {"heading_open", "heading_close"}:
            token.tag = f"h{min(int(token.tag[1:]) + 1, 6)}"
        elif token.type == "link_open":
            token.attrs |= {"target": "_blank", "rel": "noopener noreferrer nofollow"}
        elif (style := token.attrs.pop("style", None)) in _CLASSES:
            token.attrs["class"] = _CLASSES[str(style)]
        _adapt(token.children or ())


def _picture(
    _self: RendererHTML, tokens: Sequence[Token], index: int, _options: OptionsDict, _env: MutableMapping[str, Any]
) -> str:
    """Show a link in place of a picture: nobody is told when the page is opened."""
    picture = tokens[index]
    address = str(picture.attrs.get("src", ""))
    if picture.meta["linked"]:
        return text(picture.content or address)
    return tag("a", picture.content or address, href=address, target="_blank", rel="noopener noreferrer nofollow")
