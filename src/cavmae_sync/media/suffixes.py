"""Endings of media file names."""

from typing import Final

#: Files of a folder that preparation tries. Sound is among them, so that it is rejected with a reason.
MEDIA_SUFFIXES: Final = frozenset(
    f".{ending}"
    for ending in (
        *(
            "3g2",
            "3gp",
            "asf",
            "avi",
            "divx",
            "f4v",
            "flv",
            "gif",
            "m2ts",
            "m2v",
            "m4v",
            "mjpeg",
            "mkv",
            "mov",
        ),
        *("mp4", "mpeg", "mpg", "mts", "mxf", "ogm", "ogv", "qt", "rm", "rmvb", "ts", "vob", "webm", "wmv"),
        *("aac", "aif", "aiff", "amr", "flac", "m4a", "mka", "mp3", "oga", "ogg", "opus", "wav", "wma"),
    )
)
