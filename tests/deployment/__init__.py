"""What reads the files of `deploy/` where nothing that normally reads them is installed."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
