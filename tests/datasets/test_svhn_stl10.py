"""SVHN and STL-10 from files written in the original formats, pixel by pixel."""
import numpy as np
import pytest
import torch.multiprocessing as mp
from file_server import archive_source, md5, plain_source, serving
from mmpretrain.registry import DATASETS as MMPRETRAIN_DATASETS
from scipy.io import savemat

import auglocal_mm
from auglocal_mm.datasets import STL10, SVHN, DataError, provision
from auglocal_mm.datasets.preparation import SOURCES, DataFile, Download, Source

COUNTS = {'train': 12, 'test': 5}


def pixels(split, side):
    seed = sorted(COUNTS).index(split)
    return np.random.default_rng(seed).integers(0, 256, (COUNTS[split], side, side, 3), np.uint8)


def labels_from_one(split):
    return np.arange(COUNTS[split]) % 10 + 1


def svhn_file(split):
    """As MATLAB has it: rows, columns, channels, images."""
    import io
    images = np.empty((32, 32, 3, COUNTS[split]), dtype=np.uint8)
    for number, image in enumerate(pixels(split, 32)):
        images[..., number] = image
    packed = io.BytesIO()
    savemat(packed, {'X': images, 'y': labels_from_one(split)[:, None].astype(np.uint8)},
            do_compression=True)
    return packed.getvalue()


def stl10_file(split):
    """Byte by byte: image, channel, column, row."""
    out = bytearray()
    for image in pixels(split, 96):
        for channel in range(3):
            for column in range(96):
                out += bytes(image[row, column, channel] for row in range(96))
    return bytes(out)


def svhn_files():
    return {f'{split}_32x32.mat': svhn_file(split) for split in COUNTS}


def stl10_files():
    return {f'stl10_binary/{split}_{kind}.bin': content for split in COUNTS for kind, content in (
        ('X', stl10_file(split)), ('y', labels_from_one(split).astype(np.uint8).tobytes()))}


MADE = {SVHN: (svhn_files(), 32), STL10: (stl10_files(), 96)}


def split_of(name):
    return name.rpartition('/')[2].partition('_')[0]


def known(files):
    """A source of files that are there already."""
    return Source('made', 'Made data', tuple(
        Download(f'http://127.0.0.1:9/{name}', md5(content), len(content),
                 (DataFile(name, md5(content), split_of(name)),))
        for name, content in files.items()))


def put(root, files):
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)


@pytest.fixture(params=[SVHN, STL10], ids=['SVHN', 'STL10'])
def made(request, tmp_path, monkeypatch):
    """The class, its folder with made files, and the side of its images."""
    files, side = MADE[request.param]
    put(tmp_path, files)
    monkeypatch.setattr(request.param, 'source', known(files))
    monkeypatch.setattr(request.param, 'counts', COUNTS)
    return request.param, str(tmp_path), side


@pytest.mark.parametrize('split', COUNTS)
def test_every_pixel_channel_and_label_is_in_its_place(made, split):
    kind, root, side = made
    data = kind(data_root=root, split=split)
    assert len(data) == COUNTS[split]
    for number, sample in enumerate(data):
        assert sample['img'].dtype == np.uint8
        assert sample['img'].flags.c_contiguous
        assert (sample['img'] == pixels(split, side)[number]).all()
    expected = labels_from_one(split) % 10 if kind is SVHN else labels_from_one(split) - 1
    assert data.get_gt_labels().tolist() == expected.tolist()
    assert len(data.metainfo['classes']) == 10
    assert f'Split: \t{split}' in repr(data)


def test_pixels_are_in_memory_once_and_samples_are_copies(made):
    kind, root, _ = made
    data = kind(data_root=root)
    assert data.images.flags.owndata
    assert data.data_bytes.nbytes < 100 * len(data)
    data[0]['img'][:] = 0
    assert data[0]['img'].any()


def test_subsets_and_pipelines_of_the_host_work(made):
    kind, root, side = made
    data = kind(data_root=root, split='test', test_mode=True, indices=[4, 1],
                pipeline=[dict(type='mmpretrain.PackInputs')])
    packed = data[0]
    assert len(data) == 2
    assert (packed['inputs'].numpy() == pixels('test', side)[4].transpose(2, 0, 1)).all()
    assert packed['data_samples'].gt_label.item() == (5 if kind is SVHN else 4)


def test_registries_of_both_scopes_find_them():
    for kind in (SVHN, STL10):
        assert MMPRETRAIN_DATASETS.get(f'auglocal_mm.{kind.__name__}') is kind
        assert getattr(auglocal_mm, kind.__name__) is kind


def test_counts_and_sources_are_those_of_the_published_files():
    assert SVHN(data_root='d', lazy_init=True).counts == {'train': 73_257, 'test': 26_032}
    assert STL10(data_root='d', lazy_init=True).counts == {'train': 5_000, 'test': 8_000}
    assert (SVHN.source, STL10.source) == (SOURCES['svhn'], SOURCES['stl10'])


def test_another_number_of_images_is_refused(made, monkeypatch):
    kind, root, _ = made
    monkeypatch.setattr(kind, 'counts', {'train': 13, 'test': 5})
    with pytest.raises(DataError, match='12 images and 12 labels from 0 to 9, expected 13 of'):
        kind(data_root=root)
    kind(data_root=root, split='test')


@pytest.mark.parametrize('download', [True, False])
def test_a_damaged_file_is_never_read(made, monkeypatch, download):
    kind, root, _ = made
    name = kind.source.files_of('train')[0].path
    with open(f'{root}/{name}', 'r+b') as file:
        file.write(b'\0\1\2\3')
    monkeypatch.setattr(kind, 'read', lambda *_: pytest.fail('it was read'))
    with pytest.raises(DataError, match=f'(?s)damaged  {name} .*how to get it: .*prepare.py made'):
        kind(data_root=root, download=download)


def test_missing_files_are_named_and_the_other_splits_are_not_needed(made, tmp_path):
    kind, root, _ = made
    name = kind.source.files_of('test')[0].path
    (tmp_path / name).unlink()
    kind(data_root=root, split='train', download=False)
    with pytest.raises(DataError, match=f'missing  {name}'):
        kind(data_root=root, split='test', download=False)


def test_an_unknown_split_is_refused(made):
    with pytest.raises(ValueError, match="got 'extra'"):
        made[0](data_root=made[1], split='extra')


def test_missing_data_is_downloaded(tmp_path, monkeypatch):
    files = MADE[STL10][0]
    with serving() as server:
        monkeypatch.setattr(STL10, 'source', archive_source(server, files, files,
                                                            split_of=split_of))
        monkeypatch.setattr(STL10, 'counts', COUNTS)
        assert len(STL10(data_root=str(tmp_path), split='train')) == 12
        assert len(STL10(data_root=str(tmp_path), split='test')) == 5
        assert len(server.ranges) == 1


def _rank(rank, folder, root, source, faulty):
    import torch.distributed as dist
    dist.init_process_group('gloo', init_method=f'file://{folder}/meet', rank=rank, world_size=2)
    SVHN.source, SVHN.counts = source, COUNTS
    try:
        result = str(len(SVHN(data_root=root)))
    except DataError as error:
        result = str(error)
    (folder / f'{rank}').write_text(result)


@pytest.mark.parametrize('faulty', [False, True])
def test_one_rank_downloads_and_a_fault_reaches_all(tmp_path, faulty):
    with serving() as server:
        source = plain_source(server, MADE[SVHN][0], split_of=split_of)
        server.faults = ['404'] if faulty else []
        mp.start_processes(_rank, (tmp_path, str(tmp_path / 'root'), source, faulty), nprocs=2,
                           start_method='fork')
        assert len(server.ranges) == (1 if faulty else 2)
    said = [(tmp_path / f'{rank}').read_text() for rank in range(2)]
    assert said[0] == said[1]
    assert ('404' in said[0]) if faulty else (said[0] == '12')


def test_the_official_sources_are_sound():
    for source in SOURCES.values():
        for item in (*source.downloads, *source.files):
            assert len(item.md5) == 32
            assert set(item.md5) <= set('0123456789abcdef')
        assert len({file.md5 for file in source.files}) == len(source.files)
        assert all(download.url.startswith('http') for download in source.downloads)
    assert provision.SOURCES is SOURCES
