"""Commands, and how a release fails."""
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]


class ReleaseError(Exception):
    """Why there is no release, in one sentence."""


def run(*words, **options):
    """What a command prints; fails with everything that it wrote."""
    words = [str(word) for word in words]
    done = subprocess.run(words, capture_output=True, text=True, **{"cwd": ROOT, **options})
    if done.returncode:
        raise ReleaseError(f"{' '.join(words)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout.strip()
