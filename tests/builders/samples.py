"""Images that tests of several stores use."""

from builders.images import Image
from builders.members import directory, file, hardlink, whiteout
from builders.tars import tar_of

BASE = tar_of([directory("etc"), file("etc/a", b"1" * 400), hardlink("etc/b", "etc/a")])
UPPER = tar_of([whiteout("etc/a"), file("etc/c", b"2" * 300)])
APP = Image([BASE, UPPER, BASE], names=["docker.io/library/app:1"])
WEB = Image([BASE, tar_of([file("web", b"3" * 70)])], names=["docker.io/library/web:2"])
OTHER = Image([tar_of([file("other", b"4" * 7)])], names=["docker.io/library/other:3"])
