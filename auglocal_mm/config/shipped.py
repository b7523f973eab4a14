"""Locates the configs and tools that come with the package."""
from pathlib import Path


def shipped(name: str) -> Path:
    """Return a file that comes with the package, installed or in a clone.

    Args:
        name: A name such as ``'configs/auglocal/resnet32_cifar10.py'``.

    Raises:
        FileNotFoundError: There is none of this name.
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package / '.mim', package.parent):
        if (folder / name).is_file():
            return (folder / name).resolve()
    raise FileNotFoundError(f'no {name} in {package / ".mim"} or {package.parent}; install '
                            'auglocal_mm as a wheel or from a clone, which contain it')


def config_path(path: str) -> Path:
    """Return the file of a config argument.

    Args:
        path: A path, or ``package::name`` for a config that comes with an OpenMMLab
            package: ``'auglocal_mm::auglocal/resnet32_cifar10.py'``.

    Raises:
        FileNotFoundError: There is no such file or package.
    """
    package, separator, name = path.partition('::')
    if not separator:
        found = Path(path)
    elif package == 'auglocal_mm':
        return shipped(f'configs/{name}')
    else:
        found = _package_folder(package) / '.mim' / 'configs' / name
    if not found.is_file():
        raise FileNotFoundError(f'no config at {found}; to use a config that '
                                'comes with a package, give a name such as '
                                'auglocal_mm::auglocal/resnet32_cifar10.py')
    return found


def _package_folder(package: str) -> Path:
    from mmengine.config.utils import MODULE2PACKAGE
    from mmengine.utils import get_installed_path, is_installed
    distribution = MODULE2PACKAGE.get(package)
    if distribution is None or not is_installed(distribution):
        raise FileNotFoundError(f'{package} in {package}::… must be an installed package of '
                                f'OpenMMLab, one of {", ".join(sorted(MODULE2PACKAGE))}')
    return Path(get_installed_path(distribution))
