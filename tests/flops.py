"""FLOPs of a ResNet-110 under any rule, for tests that compare many of them."""
import torch
from small import classifier

from auglocal_mm.auxiliary import BuildContext, build_auxiliary
from auglocal_mm.lab.measure.complexity import complexity, count_flops
from auglocal_mm.partition import partition


def resnet110(local=None):
    head = {'type': 'LinearClsHead', 'num_classes': 10, 'in_channels': 64}
    return classifier(local, backbone={'type': 'auglocal_mm.ResNetCIFAR', 'depth': 110}, head=head)


class Figures:
    """Counts of ResNet-110 with any rule's plan; every distinct auxiliary network once."""

    def __init__(self):
        model = resnet110().eval()
        self.backbone_flops = complexity(model, (32, 32)).flops
        layers = partition(model.backbone)
        self.specs = [layer.spec(model.backbone) for layer in layers]
        self.context = BuildContext(model.backbone, {layer.name: layer for layer in layers}, 10)
        self.features, x = [], torch.zeros(1, 3, 32, 32)
        for layer in layers:
            x = layer.forward(model.backbone, x).detach()
            self.features.append(x)
        self.known = {}

    def flops(self, rule):
        entries = zip(rule.plan(self.specs).layers, self.features, strict=True)
        return self.backbone_flops + sum(
            self.auxiliary_flops(entry, x) for entry, x in entries if entry.auxiliary)

    def auxiliary_flops(self, entry, x):
        plan = entry.auxiliary
        key = x.shape, plan.notation(), plan.strides, plan.batch_norm_before_fc
        if key not in self.known:
            network = build_auxiliary(entry, self.context).eval()
            with torch.no_grad():
                self.known[key] = count_flops(network, network, x)
        return self.known[key]
