"""``transfer-studio help``: the pages of the window's help, and the settings of a strategy or a policy."""

from __future__ import annotations

import argparse
from typing import Any

from studio import help_pages
from studio.files import json_text


def add_parser(commands: Any) -> None:
    """Add the command to the command line."""
    text = "print a help page; without one, what pages there are"
    parser = commands.add_parser("help", help=text, description=text.capitalize() + ".")
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "page", nargs="?", metavar="PAGE", help="its name, such as meta-learning; or a strategy or a policy"
    )
    which.add_argument("--search", metavar="WORDS", help="the pages in which all of these words occur")
    parser.add_argument("--json", action="store_true", help="print one JSON object last")


def help_(options: argparse.Namespace) -> int:
    """Print a page, the pages, or those that have the words."""
    if options.page is not None:
        page = _page(options.page)
        about = {"page": page.id, "title": page.title, "text": page.text}
        print(json_text(about) if options.json else help_pages.plain(page.text).rstrip())
        return 0
    if options.search is not None:
        found = list(help_pages.search(options.search))
    else:
        found = [(page, page.about) for page in help_pages.pages().values()]
    if options.json:
        print(json_text({"pages": [{"page": page.id, "title": page.title, "about": line} for page, line in found]}))
        return 0
    width = max((len(page.id) for page, _ in found), default=0)
    for page, line in found:
        print(f"{page.id:<{width}}  {line}")
    print("No page has all of these words." if not found else "\nRead one with: transfer-studio help PAGE")
    return 0


def _page(id: str) -> help_pages.Page:
    """Return a help page, or else that of a strategy or a policy."""
    if id in help_pages.pages():
        return help_pages.page(id)
    from studio.cli.settings_help import settings_page  # with pydantic, which --help does without
    from studio.registry import shared_registry

    return settings_page(id, shared_registry()) or help_pages.page(id)
