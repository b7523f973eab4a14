"""A model's parts are found in every form of its config."""
import pytest

from auglocal_mm.config.parts import parts_of, place_of_parts, with_preprocessor

BACKBONE = {'type': 'ResNet', 'depth': 18}
FORMS = {
    'plain': {'type': 'MaskRCNN', 'backbone': BACKBONE},
    'beside': {'type': 'auglocal_mm.LocalDetector', 'detector': 'MaskRCNN', 'backbone': BACKBONE},
    'inside': {'type': 'auglocal_mm.LocalDetector',
               'detector': {'type': 'MaskRCNN', 'backbone': BACKBONE}}}


@pytest.mark.parametrize('form', FORMS)
def test_the_backbone_is_found(form):
    assert parts_of(FORMS[form])['backbone'] is BACKBONE
    config = {'model': FORMS[form]}
    for key in place_of_parts(FORMS[form]).split('.'):
        config = config[key]
    assert config is parts_of(FORMS[form])


@pytest.mark.parametrize('form', FORMS)
def test_a_models_own_preprocessor_comes_first(form):
    """As in mmengine's runner; and nothing is added that the config does not have."""
    model, outer, own = FORMS[form], {'mean': [1.0]}, {'mean': [2.0]}
    assert with_preprocessor({'model': model}) == model
    added = with_preprocessor({'model': model, 'data_preprocessor': outer})
    assert added == {**model, 'data_preprocessor': outer}
    mine = {**model, 'data_preprocessor': own}
    assert with_preprocessor({'model': mine, 'data_preprocessor': outer}) == mine
    if form == 'inside':
        mine = {**model, 'detector': {**model['detector'], 'data_preprocessor': own}}
        assert with_preprocessor({'model': mine, 'data_preprocessor': outer}) == mine
    assert 'data_preprocessor' not in model
