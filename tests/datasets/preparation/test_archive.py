"""Archives: the wanted files come out, and nothing else, anywhere."""
import io
import os
import tarfile

import numpy as np
import pytest
from file_server import IMPATIENT, archive_source, md5, serving, tar_gz

from auglocal_mm.datasets import DataError
from auglocal_mm.datasets.preparation import DataFile, Progress, prepare
from auglocal_mm.datasets.preparation.archive import unpack

NOISE = np.random.default_rng(1).bytes(300_000)
WANTED = {'batches/one': NOISE, 'batches/two': b'2'}


def files(wanted=WANTED):
    return [DataFile(name, md5(content)) for name, content in wanted.items()]


def write(folder, packed):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / 'made.tar.gz'
    path.write_bytes(packed)
    return path


def tree(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob('*') if not path.is_dir()}


def special(name, kind, target=''):
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


def test_wanted_files_come_out_and_others_do_not(tmp_path):
    unpack(write(tmp_path, tar_gz({'./batches/one': NOISE, 'batches/readme': b'r',
                                   'batches/two': b'2'})), tmp_path, files())
    assert tree(tmp_path) == {'made.tar.gz', 'batches/one', 'batches/two'}
    assert (tmp_path / 'batches/one').read_bytes() == NOISE


@pytest.mark.parametrize(('members', 'message'), [
    ({**WANTED, '../evil': b'x'}, r"holds '\.\./evil', which leaves the folder"),
    ({**WANTED, 'batches/../../evil': b'x'}, 'leaves the folder'),
    ({**WANTED, '/evil': b'x'}, "holds '/evil', which leaves the folder"),
    ({'batches/two': b'2', 'l': special('batches/one', tarfile.SYMTYPE, '/etc/passwd')},
     'batches/one is not a plain file'),
    ({**WANTED, 'l': special('batches/one', tarfile.LNKTYPE, 'batches/two')}, 'not a plain file'),
    ({'batches/two': b'2', 'l': special('batches/one', tarfile.CHRTYPE)}, 'not a plain file'),
    ({'batches/two': b'2', 'l': special('batches/one', tarfile.FIFOTYPE)}, 'not a plain file'),
    ({'batches/one': NOISE, './batches/one': NOISE, 'batches/two': b'2'}, 'occurs twice'),
    ({'batches/one': NOISE}, 'lacks batches/two'),
    ({**WANTED, 'batches/two': b'3'}, 'batches/two has md5'),
])
def test_a_wrong_archive_gives_nothing(tmp_path, members, message):
    folder = tmp_path / 'deep' / 'root'
    with pytest.raises(DataError, match=message) as caught:
        unpack(write(folder, tar_gz(members)), folder, files())
    assert '\n' not in str(caught.value)
    assert tree(tmp_path) == {'deep/root/made.tar.gz'}


def test_links_and_devices_that_are_not_wanted_are_never_made(tmp_path):
    # A link to a folder outside, and a file to be written through it.
    packed = tar_gz({'l': special('out', tarfile.SYMTYPE, str(tmp_path)), 'out/evil': b'x',
                     'd': special('device', tarfile.BLKTYPE), **WANTED})
    unpack(write(tmp_path / 'root', packed), tmp_path / 'root', files())
    assert tree(tmp_path) == {f'root/{name}' for name in ('made.tar.gz', *WANTED)}


@pytest.mark.parametrize('spoil', [
    lambda packed: packed[:len(packed) // 2],
    lambda packed: packed[:-2000],
    lambda packed: b'no archive at all',
    lambda packed: packed[:5000] + bytes(50) + packed[5050:],
])
def test_a_damaged_archive_gives_nothing(tmp_path, spoil):
    with pytest.raises(DataError, match='made.tar.gz'):
        unpack(write(tmp_path, spoil(tar_gz({**WANTED, 'batches/three': NOISE}))), tmp_path,
               files())
    assert tree(tmp_path) == {'made.tar.gz'}


def test_a_link_in_the_folders_way_is_not_followed(tmp_path):
    root, outside = tmp_path / 'root', tmp_path / 'outside'
    outside.mkdir()
    archive = write(root, tar_gz(WANTED))
    (root / 'batches').symlink_to(outside)
    with pytest.raises(DataError, match='root/batches is a link'):
        unpack(archive, root, files())
    assert not list(outside.iterdir())


def test_a_link_in_a_files_place_is_replaced_not_written_through(tmp_path):
    root, victim = tmp_path / 'root', tmp_path / 'victim'
    victim.write_text('kept')
    archive = write(root, tar_gz(WANTED))
    (root / 'batches').mkdir()
    (root / 'batches/two').symlink_to(victim)
    unpack(archive, root, files())
    assert victim.read_text() == 'kept'
    assert not (root / 'batches/two').is_symlink()


def test_what_a_killed_process_left_is_cleared_away(tmp_path):
    left = tmp_path / '.made.tar.gz.unpacking-abc'
    left.mkdir()
    (left / 'half').write_bytes(b'x')
    unpack(write(tmp_path, tar_gz(WANTED)), tmp_path, files())
    assert not left.exists()


@pytest.mark.parametrize('by_hand', [False, True])
def test_a_downloaded_archive_goes_and_one_put_there_by_hand_is_used_and_stays(tmp_path, by_hand):
    with serving() as server:
        source = archive_source(server, WANTED, WANTED)
        if by_hand:
            write(tmp_path, server.files['made.tar.gz'])
        report = prepare(source, tmp_path, progress=Progress(io.StringIO()), patience=IMPATIENT)
        assert len(server.ranges) == (not by_hand)
    assert report.is_complete
    assert tree(tmp_path) == {'.prepare.lock', *WANTED, *(['made.tar.gz'] if by_hand else [])}


def test_damaged_files_are_unpacked_again_and_intact_ones_stay(tmp_path):
    with serving() as server:
        source = archive_source(server, WANTED, WANTED)
        said = io.StringIO()
        prepare(source, tmp_path, progress=Progress(said), patience=IMPATIENT)
        (tmp_path / 'batches/two').write_bytes(b'3')
        prepare(source, tmp_path, progress=Progress(said), patience=IMPATIENT)
    assert (tmp_path / 'batches/two').read_bytes() == b'2'
    assert 'batches/two has md5' in said.getvalue()
    assert os.stat(tmp_path / 'batches/two').st_nlink == 1
