"""VGG19 on SVHN by InfoPro (softmax): one GPU, batch 1024, 400 epochs.

    tools/train.py configs/infopro/vgg19_svhn.py

The paper gives the weights of InfoPro's losses only for ResNet-32 and ResNet-110. VGG19 has 16
units, like ResNet-32, and uses the weights of that network: this project's choice.

Expected: no published figure available.
Not yet run at this length by this project.
"""
_base_ = [
    '../_base_/models/vgg19_cifar.py',
    '../_base_/datasets/svhn.py',
    '../_base_/schedules/cifar_sgd_400e.py',
    '../_base_/local/infopro_resnet32.py',
    '../_base_/default_runtime_cls.py',
]
work_dir = 'work_dirs/vgg19_svhn_infopro'
model = dict(type='auglocal_mm.LocalImageClassifier', local={{_base_.local}})
optim_wrapper = dict(type='auglocal_mm.AugLocalOptimWrapper')
