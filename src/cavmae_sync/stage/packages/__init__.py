"""The real pack: real pictures and real sounds from three Debian packages, made into a pack in a folder.

In: the installed packages `qabcs-data`, `tuxpaint-stamps-default` and `tuxpaint-data`. Out: a folder that
`FolderPack` reads, with what was left out and the licences.

    installed.py     pictures and recordings that the packages hold
    kinds.py         kind of each object, and which objects are the same thing
    suitable.py      pictures and recordings that cannot be used, and why
    duplicates.py    pictures and recordings that are the same under two names
    real_pack.py     make_real_pack: choice, split and folder
"""

from cavmae_sync.stage.packages.real_pack import make_real_pack

__all__ = ["make_real_pack"]
