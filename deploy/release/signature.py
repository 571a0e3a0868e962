"""The signature of a release, by minisign."""
import shutil
import subprocess

from commands import ReleaseError


def check_key(key):
    """Fails before anything is made, if signing would."""
    if not shutil.which("minisign"):
        raise ReleaseError("MISSING: minisign, which --sign needs; Debian has a package of that name")
    if not key.is_file():
        raise ReleaseError(f"--sign {key}: there is no such file; `minisign -G -s {key}` makes a key")


def sign(file, key, comment):
    """Writes `file`.minisig. The comment is a part of what is signed; minisign's own has the time. minisign asks for
    the key's password, where it has one."""
    done = subprocess.run(["minisign", "-S", "-s", key, "-m", file, "-t", comment], check=False)
    if done.returncode:
        raise ReleaseError(f"minisign ended with {done.returncode}: {file.name} is not signed")
