"""Parts of scripts/accuracy.py."""
