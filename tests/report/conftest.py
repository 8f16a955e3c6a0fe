"""Reports of two stores in every form."""

import pytest
from builders import Image, file, raw, tar_of, write_oci_layout
from helpers.reports import HOSTILE, Reports, reports
from sample import main as write_sample


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Reports:
    """Reports of the sample store."""
    folder = tmp_path_factory.mktemp("sample")
    write_sample(folder / "store")
    return reports(folder / "catalog", folder / "store")


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Reports:
    """Reports of a store whose names, steps and paths all mean harm."""
    folder = tmp_path_factory.mktemp("hostile")
    images = []
    for number, text in enumerate(HOSTILE):
        path = text.replace("/", "%").encode()
        layers = [
            tar_of([raw(path, content=bytes([number, layer]) * 700_000), file(f"own{number}")])
            for layer in range(2)
        ]
        images.append(Image(layers, names=[text], history=[f"ADD {text}", text]))
    bad = b"no utf-8 \xff\xfe"
    images.append(Image([tar_of([raw(bad, content=b"1")]), tar_of([raw(bad, content=b"2")])]))
    write_oci_layout(folder / "=store|`x`", images)
    return reports(folder / "catalog", folder / "=store|`x`")
