"""The parts of scripts/check-deploy.py."""
