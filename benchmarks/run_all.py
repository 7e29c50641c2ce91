"""Run every benchmark here, one after the other, each in a process of its own."""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
HELPERS = {"run_all.py", "reporting.py", "training.py", "studies_of.py", "noop_engine.py"}

failed = []
for script in sorted(HERE.glob("*.py")):
    if script.name not in HELPERS and subprocess.run([sys.executable, str(script)], check=False).returncode:
        failed.append(script.name)
if failed:
    sys.exit(f"failed: {', '.join(failed)}")
