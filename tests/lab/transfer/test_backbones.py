"""Backbones on the command line: names, files, and what a file must hold."""
from pathlib import Path

import pytest
import torch

from auglocal_mm.checkpoints import CheckpointError
from auglocal_mm.lab.transfer.backbones import Backbone, parse_backbones


def names(*arguments):
    return [(each.name, str(each.file)) for each in parse_backbones(arguments)]


def test_names_are_given_or_taken_from_the_file_or_its_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert names('AugLocal, d = 2=a.pth'.replace('= 2=', '2='), 'some/bp.pth') == [
        ('AugLocal, d 2', 'a.pth'), ('bp', 'some/bp.pth')]
    assert names('runs/resnet34_bp/backbone.pth') == [
        ('resnet34_bp', 'runs/resnet34_bp/backbone.pth')]
    # A file that is there is not taken apart.
    (tmp_path / 'lr=0.1.pth').touch()
    assert names('lr=0.1.pth') == [('lr=0.1', 'lr=0.1.pth')]


@pytest.mark.parametrize(('arguments', 'told'), [
    (['a=x.pth', 'A=y.pth'], "two backbones are called 'A': x.pth and y.pth; name them as"),
    (['x/bp.pth', 'y/bp.pth'], "two backbones are called 'bp'"),
    (['../up=x.pth'], "must be a folder name without |, got '../up'"),
    (['=x.pth'], "must be a folder name without |, got ''"),
    (['a|b=x.pth'], r'without \|'),
    (['a=my file.pth'], 'must be without spaces, commas, quotes and brackets'),
    (['a=x,y.pth'], 'must be without spaces'),
    (['a='], 'must be NAME=FILE or FILE, got a='),
], ids=['case', 'stem', 'folder', 'empty', 'bar', 'space', 'comma', 'no file'])
def test_impossible_names_and_paths(arguments, told):
    with pytest.raises(ValueError, match=told.replace('../', r'\.\./')):
        parse_backbones(arguments)


def test_a_file_must_be_an_exported_backbone(tmp_path):
    def saved(**state):
        path = tmp_path / 'x.pth'
        torch.save({'state_dict': {key.replace('_', '.'): value for key, value in state.items()}},
                   path)
        return Backbone('x', path)

    one = torch.ones(2)
    assert list(saved(backbone_conv=one).weights()) == ['backbone.conv']
    with pytest.raises(CheckpointError, match=r'is no exported backbone, .*: it holds head.fc and '
                       r'1 other entries; export it first: \S+export_backbone.py \S+x.pth OUT'):
        saved(backbone_conv=one, head_fc=one, head_b=one).weights()
    with pytest.raises(CheckpointError, match='all begin with backbone.: it holds conv; export'):
        saved(conv=one).weights()
    with pytest.raises(CheckpointError, match='NaN or infinite'):
        saved(backbone_conv=one / 0).weights()
    with pytest.raises(CheckpointError, match='no checkpoint at'):
        Backbone('x', Path('absent.pth')).weights()


def test_a_digest_is_of_the_content(tmp_path):
    for name, content in (('a', b'1'), ('b', b'1'), ('c', b'2')):
        (tmp_path / name).write_bytes(content)
    first, same, other = (Backbone('x', tmp_path / name).digest() for name in 'abc')
    assert first == same != other
