"""Say where a figure or a dataset comes from: claims, data, commit, versions, device, wall time.

python scripts/trace.py results/laptop/figures/fig6.pdf
"""

import sys
from pathlib import Path

from icl.store import artifacts, trace

if __name__ == "__main__":
    if len(sys.argv) < 2 or "-h" in sys.argv[1:] or "--help" in sys.argv[1:]:
        sys.exit(__doc__.strip())
    try:
        print("\n\n".join(trace.trace(Path(path)) for path in sys.argv[1:]))
    except (trace.TraceError, artifacts.ArtifactError) as error:
        sys.exit(str(error))
