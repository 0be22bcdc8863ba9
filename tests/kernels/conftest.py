"""What several modules compare with, made once."""

import pytest

from tests.kernels.perturbed import OwnReference, Study, own_reference_of, study_of_iron


@pytest.fixture(scope="session")
def iron(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return study_of_iron(tmp_path_factory.mktemp("points"))


@pytest.fixture(scope="session")
def own_reference(iron: Study, tmp_path_factory: pytest.TempPathFactory) -> OwnReference:
    return own_reference_of(iron, tmp_path_factory.mktemp("own"))
