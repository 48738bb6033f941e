"""Transfer Studio's engine: transfer learning and meta-learning of robot policies, without a window."""

import os

# OpenMP threads that spin on at barriers slow training beside a viewport or another process on the same cores; threads
# that sleep at once halve it on cores of its own. SAC's updates on two cores, alone and beside a busy process: spinning
# 225 and 50 a second, sleeping 115 and 105, sleeping after 500 spins (some microseconds) 190 and 90. The variables are
# read once, when torch is imported, so they are set here: GNU's count of spins, and what other OpenMPs know.
os.environ.setdefault("GOMP_SPINCOUNT", "500")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

__version__ = "0.1.0"
