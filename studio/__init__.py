"""Transfer Studio's engine: transfer learning and meta-learning of robot policies, without a window."""

import os

# OpenMP threads that spin at barriers slow training tenfold beside a viewport or another process on the same cores
# (measured on two). The variable is read once, when torch is imported, so it is set here.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

__version__ = "0.1.0"
