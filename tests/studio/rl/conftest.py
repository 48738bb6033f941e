"""What torch compiles in these tests is kept between test runs, not compiled anew into each run's own cache."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(Path(tempfile.gettempdir()) / "transfer-studio-compiled"))
