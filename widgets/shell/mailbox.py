"""Mailbox and slot: how the UI thread sends messages to a worker, and how the newest result comes back.

Posting never waits; what was not read yet is replaced or summed.
"""

from __future__ import annotations

import threading
from typing import Any


class Mailbox:
    """Keyed messages for one reader. A later one with the same key replaces the earlier or, for ``add``, joins it."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._messages: dict[str, Any] = {}
        self._closed = False

    def post(self, key: str, value: Any = True) -> None:
        """Post a value; it replaces an unread one of the same key."""
        with self._condition:
            self._messages[key] = value
            self._condition.notify()

    def add(self, key: str, *amounts: float) -> None:
        """Add to the amounts not read yet: a drag of many small moves becomes one."""
        with self._condition:
            before = self._messages.get(key, (0.0,) * len(amounts))
            self._messages[key] = tuple(a + b for a, b in zip(before, amounts, strict=True))
            self._condition.notify()

    def take(self) -> dict[str, Any]:
        """Return everything since the last call."""
        with self._condition:
            messages, self._messages = self._messages, {}
            return messages

    def wait(self, seconds: float | None) -> None:
        """Sleep until something is posted, the mailbox is closed, or the time is over (None: however long)."""
        with self._condition:
            self._condition.wait_for(lambda: self._closed or bool(self._messages), seconds)

    def sleep(self, seconds: float) -> None:
        """Sleep through messages; only closing wakes."""
        with self._condition:
            self._condition.wait_for(lambda: self._closed, max(0.0, seconds))

    def close(self) -> None:
        """End every wait, now and later."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()

    @property
    def closed(self) -> bool:
        return self._closed


class Slot:
    """Holds the newest result. At most one notice is pending at a time, however many results replace each other."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._content: Any = None
        self.replaced = 0  # results that nobody took

    def put(self, content: Any) -> bool:
        """Store a result; True if the reader must be notified, False if a notice is already on its way."""
        with self._lock:
            notify = self._content is None
            self.replaced += not notify
            self._content = content
            return notify

    def take(self) -> Any:
        """Return the newest value, once; None where there is nothing new."""
        with self._lock:
            content, self._content = self._content, None
            return content
