"""The help pages of ``assets/help``, in the order of their index: for the window and the command line."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from studio import paths
from studio.errors import ExperimentError

INDEX = "index"
_ENTRY = re.compile(r"^- \[(?P<title>[^\]]+)\]\((?P<id>[\w-]+)\.md\): (?P<about>.+)$", re.MULTILINE)
_LINK = re.compile(r"\[(?P<words>[^\]]*)\]\([^)]*\)")


@dataclass(frozen=True)
class Page:
    """One page: ``id`` is the name of its file, ``about`` what the index says of it, ``text`` its Markdown."""

    id: str
    title: str
    about: str
    text: str


def folder() -> Path:
    """Where the pages lie. Their links are relative to it."""
    return paths.assets() / "help"


@cache
def pages() -> dict[str, Page]:
    """Return the pages by id: the index, then those that it lists, in its order."""
    index = (folder() / f"{INDEX}.md").read_text("utf-8")
    found = {INDEX: Page(INDEX, "Contents", "What there is.", index)}
    for entry in _ENTRY.finditer(index):
        text = (folder() / f"{entry['id']}.md").read_text("utf-8")
        found[entry["id"]] = Page(entry["id"], entry["title"], entry["about"], text)
    return found


def page(id: str) -> Page:
    """Return a page. Raises ExperimentError, naming those that there are."""
    found = pages()
    if id in found:
        return found[id]
    close = difflib.get_close_matches(id, found, 1)
    known = f"Choose one of: {', '.join(found)}."
    raise ExperimentError("There is no such help page.", id, f"Did you mean '{close[0]}'? {known}" if close else known)


def search(words: str) -> Iterator[tuple[Page, str]]:
    """Yield each page that contains every word, with its first line that contains the first one. Case does not
    matter."""
    wanted = words.casefold().split()
    for one in pages().values():
        text = plain(one.text)
        if wanted and all(word in text.casefold() for word in wanted):
            yield one, next(line.strip("#|- ") for line in text.splitlines() if wanted[0] in line.casefold())


def plain(text: str) -> str:
    """Return Markdown whose links have become their words, for a terminal."""
    return _LINK.sub(lambda link: link["words"], text)


def anchor(heading: str) -> str:
    """Return how a link names a heading, as Git hosts do: ``#the-adaptation-panel``."""
    return re.sub(r"[^\w -]", "", heading.casefold()).strip().replace(" ", "-")
