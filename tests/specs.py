"""Shapes of the paper's networks, for plans without a backbone."""
from auglocal_mm.plan import UnitSpec


def resnet_cifar(depth: int) -> list[UnitSpec]:
    blocks = (depth - 2) // 6
    return [UnitSpec('stem', 16, 1, repeatable=False)] + [
        UnitSpec(f'layer{stage + 1}.{block}', 16 << stage, 2 if stage and not block else 1,
                  stage=stage + 1)
        for stage in range(3) for block in range(blocks)]


def resnet34() -> list[UnitSpec]:
    return [UnitSpec('stem', 64, 4, repeatable=False)] + [
        UnitSpec(f'layer{stage + 1}.{block}', 64 << stage, 2 if stage and not block else 1,
                  stage=stage + 1)
        for stage, blocks in enumerate((3, 4, 6, 3)) for block in range(blocks)]
