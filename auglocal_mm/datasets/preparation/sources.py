"""The official sources of the data sets, with sizes and checksums.

Only the files that are read are listed: not CIFAR's class names, and not STL-10's
unlabelled images.
"""
from .source import DataFile, Download, Source


def _inside(folder: str, *files: tuple[str, str], split: str | None = None) -> tuple[DataFile, ...]:
    return tuple(DataFile(f'{folder}/{name}', md5, split) for name, md5 in files)


def _svhn(split: str, md5: str, size_bytes: int) -> Download:
    name = f'{split}_32x32.mat'
    return Download(f'http://ufldl.stanford.edu/housenumbers/{name}', md5, size_bytes,
                    (DataFile(name, md5, split, size_bytes),))


CIFAR10 = Source('cifar10', 'CIFAR-10', (Download(
    'https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz',
    'c58f30108f718f92721af3b95e74349a', 170_498_071,
    _inside('cifar-10-batches-py',
            ('data_batch_1', 'c99cafc152244af753f735de768cd75f'),
            ('data_batch_2', 'd4bba439e000b95fd0a9bffe97cbabec'),
            ('data_batch_3', '54ebc095f3ab1f0389bbae665268c751'),
            ('data_batch_4', '634d18415352ddfa80567beed471001a'),
            ('data_batch_5', '482c414d41f54cd18b22e5b47cb7c3cb'),
            ('test_batch', '40351d587109b95175f43aff81a1287e')),
    is_archive=True),))

CIFAR100 = Source('cifar100', 'CIFAR-100', (Download(
    'https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz',
    'eb9058c3a382ffc7106e4002c42a8d85', 169_001_437,
    _inside('cifar-100-python',
            ('train', '16019d7e3df5f24257cddd939b257f8d'),
            ('test', 'f0ef6b0ae62326f3e7ffdfab6717acfc')),
    is_archive=True),))

#: Without its extra split, which the paper does not use.
SVHN = Source('svhn', 'SVHN', (
    _svhn('train', 'e26dedcc434d2e4c54c9b2d4a06d8373', 182_040_794),
    _svhn('test', 'eb5a983be6a315427106f1b164d9cef3', 64_275_384)))

STL10 = Source('stl10', 'STL-10', (Download(
    'http://ai.stanford.edu/~acoates/stl10/stl10_binary.tar.gz',
    '91f7769df0f17e558f3565bffb0c7dfb', 2_640_397_119,
    (*_inside('stl10_binary',
              ('train_X.bin', '918c2871b30a85fa023e0c44e0bee87f'),
              ('train_y.bin', '5a34089d4802c674881badbb80307741'), split='train'),
     *_inside('stl10_binary',
              ('test_X.bin', '7f263ba9f9e0b06b93213547f721ac82'),
              ('test_y.bin', '36f9794fa4beb8a2c72628de14fa638e'), split='test')),
    is_archive=True),))

SOURCES = {source.name: source for source in (CIFAR10, CIFAR100, SVHN, STL10)}
