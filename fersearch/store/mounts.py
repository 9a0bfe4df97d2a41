"""Which file system a path is on: SQLite's write-ahead log needs shared memory, which a network does not give."""

from pathlib import Path

_NETWORK = (
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "9p",
    "ceph",
    "lustre",
    "beegfs",
    "gpfs",
    "afs",
    "glusterfs",
    "ncpfs",
)


def file_system(path: Path, mountinfo: str | None = None) -> str:
    """The type of the file system that holds the path (`ext4`, `nfs4`, ...); empty where the system does not say.

    `mountinfo` is the text of /proc/self/mountinfo, read when not given.
    """
    try:
        text = Path("/proc/self/mountinfo").read_text() if mountinfo is None else mountinfo
    except OSError:
        return ""
    best, found = -1, ""
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        folder = Path(before.split()[4].encode().decode("unicode_escape"))
        # Of two mounts on one folder the later hides the earlier.
        if len(folder.parts) >= best and path.resolve().is_relative_to(folder):
            best, found = len(folder.parts), after.split()[0]
    return found


def is_network(kind: str) -> bool:
    """Whether a file system of this type is reached over a network."""
    return kind in _NETWORK or kind.startswith(("fuse.sshfs", "fuse.gluster"))
