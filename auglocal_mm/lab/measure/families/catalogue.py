"""The families that the table shows: one config of each folder of mmdet's that has a model."""
from __future__ import annotations

from .contents import Semantics
from .family import Family

#: COCO panoptic: 80 things, then 53 kinds of stuff.
_STUFF = Semantics(stride=1, first=80, classes=53)
#: With fresh weights all boxes may leave the image, where mmdet can paste no mask on a CPU.
_CLIPPED = {f'model.roi_head.bbox_head.{stage}.bbox_coder.clip_border': True for stage in range(6)}
#: The whole one ends at 1 pixel here, where batch norm over two values has no use.
_SHALLOW_HOURGLASS = {
    'model.backbone.downsample_times': 3, 'model.backbone.stage_blocks': [2, 2, 2, 4],
    'model.backbone.stage_channels': [256, 256, 384, 384]}
#: Compiled deformable convolutions refuse maps smaller than their kernel.
_THREE_LEVELS = {
    'model.neck.num_outs': 3, 'model.bbox_head.anchor_generator.strides': [8, 16, 32]}

FAMILIES = (
    # Two stages
    Family('RPN', 'rpn/rpn_r50_fpn_1x_coco.py'),
    Family('Fast R-CNN', 'fast_rcnn/fast-rcnn_r50_fpn_1x_coco.py'),
    Family('Faster R-CNN', 'faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py'),
    Family('Faster R-CNN, C4', 'faster_rcnn/faster-rcnn_r50-caffe_c4-1x_coco.py'),
    Family('Faster R-CNN, DC5', 'faster_rcnn/faster-rcnn_r50-caffe-dc5_1x_coco.py'),
    Family('Faster R-CNN, OHEM', 'faster_rcnn/faster-rcnn_r50_fpn_ohem_1x_coco.py'),
    Family('Faster R-CNN, Soft-NMS', 'faster_rcnn/faster-rcnn_r50_fpn_soft-nms_1x_coco.py'),
    Family('Mask R-CNN', 'mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py'),
    Family('Cascade R-CNN', 'cascade_rcnn/cascade-rcnn_r50_fpn_1x_coco.py'),
    Family('Cascade Mask R-CNN', 'cascade_rcnn/cascade-mask-rcnn_r50_fpn_1x_coco.py'),
    Family('Cascade RPN', 'cascade_rpn/cascade-rpn_faster-rcnn_r50-caffe_fpn_1x_coco.py'),
    Family('CrowdDet', 'crowddet/crowddet-rcnn_r50_fpn_8xb2-30e_crowdhuman.py'),
    Family('Double-Head R-CNN', 'double_heads/dh-faster-rcnn_r50_fpn_1x_coco.py'),
    Family('Dynamic R-CNN', 'dynamic_rcnn/dynamic-rcnn_r50_fpn_1x_coco.py'),
    Family('GA-Faster R-CNN', 'guided_anchoring/ga-faster-rcnn_r50_fpn_1x_coco.py'),
    Family('Grid R-CNN', 'grid_rcnn/grid-rcnn_r50_fpn_gn-head_1x_coco.py'),
    Family('GRoIE', 'groie/mask-rcnn_r50_fpn_groie_1x_coco.py'),
    Family('HTC', 'htc/htc_r50_fpn_1x_coco.py', semantics=Semantics(8, 0, 183)),
    Family('Libra R-CNN', 'libra_rcnn/libra-faster-rcnn_r50_fpn_1x_coco.py'),
    Family('Mask Scoring R-CNN', 'ms_rcnn/ms-rcnn_r50_fpn_1x_coco.py'),
    Family('PISA', 'pisa/mask-rcnn_r50_fpn_pisa_1x_coco.py'),
    Family('PointRend', 'point_rend/point-rend_r50-caffe_fpn_ms-1x_coco.py'),
    Family('QueryInst', 'queryinst/queryinst_r50_fpn_1x_coco.py', changes=_CLIPPED),
    Family('SABL', 'sabl/sabl-faster-rcnn_r50_fpn_1x_coco.py'),
    Family('SCNet', 'scnet/scnet_r50_fpn_1x_coco.py', semantics=Semantics(8, 0, 183)),
    Family('Seesaw loss', 'seesaw_loss/mask-rcnn_r50_fpn_seesaw-loss_random-ms-2x_lvis-v1.py'),
    Family('Sparse R-CNN', 'sparse_rcnn/sparse-rcnn_r50_fpn_1x_coco.py'),
    Family('TridentNet', 'tridentnet/tridentnet_r50-caffe_1x_coco.py',
           changes={'model.train_cfg.rcnn.sampler.num': 8}),
    # Deformable operators, backbones and necks
    Family('DCN', 'dcn/faster-rcnn_r50-dconv-c3-c5_fpn_1x_coco.py'),
    Family('DCN, RoI pooling', 'dcn/faster-rcnn_r50_fpn_dpool_1x_coco.py'),
    Family('DCNv2', 'dcnv2/faster-rcnn_r50-mdconv-c3-c5_fpn_1x_coco.py'),
    Family('DCNv2, RoI pooling', 'dcnv2/faster-rcnn_r50_fpn_mdpool_1x_coco.py'),
    Family('CARAFE', 'carafe/mask-rcnn_r50_fpn-carafe_1x_coco.py'),
    Family('DetectoRS', 'detectors/detectors_cascade-rcnn_r50_1x_coco.py'),
    Family('DyHead', 'dyhead/atss_r50_fpn_dyhead_1x_coco.py'),
    Family('Empirical attention', 'empirical_attention/faster-rcnn_r50-attn1111_fpn_1x_coco.py'),
    Family('FPG', 'fpg/faster-rcnn_r50_fpg-chn128_crop640-50e_coco.py'),
    Family('GCNet', 'gcnet/mask-rcnn_r50-gcb-r4-c3-c5_fpn_1x_coco.py'),
    Family('GN+WS', 'gn+ws/faster-rcnn_r50_fpn_gn-ws-all_1x_coco.py'),
    Family('HRNet', 'hrnet/faster-rcnn_hrnetv2p-w18-1x_coco.py'),
    Family('NAS-FPN', 'nas_fpn/retinanet_r50_nasfpn_crop640-50e_coco.py'),
    Family('PAFPN', 'pafpn/faster-rcnn_r50_pafpn_1x_coco.py'),
    Family('PVT', 'pvt/retinanet_pvt-t_fpn_1x_coco.py'),
    Family('RegNet', 'regnet/faster-rcnn_regnetx-400MF_fpn_ms-3x_coco.py'),
    Family('Res2Net', 'res2net/faster-rcnn_res2net-101_fpn_2x_coco.py',
           changes={'model.backbone.depth': 50}),
    Family('ResNeSt', 'resnest/faster-rcnn_s50_fpn_syncbn-backbone+head_ms-range-1x_coco.py'),
    Family('Swin', 'swin/mask-rcnn_swin-t-p4-w7_fpn_1x_coco.py'),
    Family('ConvNeXt', 'convnext/mask-rcnn_convnext-t-p4-w7_fpn_amp-ms-crop-3x_coco.py'),
    Family('EfficientNet', 'efficientnet/retinanet_effb3_fpn_8xb4-crop896-1x_coco.py'),
    # One stage
    Family('ATSS', 'atss/atss_r50_fpn_1x_coco.py'),
    Family('AutoAssign', 'autoassign/autoassign_r50-caffe_fpn_1x_coco.py'),
    Family('CenterNet', 'centernet/centernet_r18_8xb16-crop512-140e_coco.py'),
    Family('CenterNet, DCNv2', 'centernet/centernet_r18-dcnv2_8xb16-crop512-140e_coco.py'),
    Family('CenterNet, updated', 'centernet/centernet-update_r50-caffe_fpn_ms-1x_coco.py'),
    Family('CentripetalNet',
           'centripetalnet/centripetalnet_hourglass104_16xb6-crop511-210e-mstest_coco.py',
           changes=_SHALLOW_HOURGLASS),
    Family('CornerNet', 'cornernet/cornernet_hourglass104_8xb6-210e-mstest_coco.py',
           changes=_SHALLOW_HOURGLASS),
    Family('DDOD', 'ddod/ddod_r50_fpn_1x_coco.py', changes=_THREE_LEVELS),
    Family('FCOS', 'fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py'),
    Family('FoveaBox', 'foveabox/fovea_r50_fpn_gn-head-align_4xb4-2x_coco.py'),
    Family('FreeAnchor', 'free_anchor/freeanchor_r50_fpn_1x_coco.py'),
    Family('FSAF', 'fsaf/fsaf_r50_fpn_1x_coco.py'),
    Family('GFL', 'gfl/gfl_r50_fpn_1x_coco.py'),
    Family('GHM', 'ghm/retinanet_r50_fpn_ghm-1x_coco.py'),
    Family('LAD', 'lad/lad_r50-paa-r101_fpn_2xb8_coco_1x.py'),
    Family('LD', 'ld/ld_r18-gflv1-r101_fpn_1x_coco.py', teacher=True),
    Family('NAS-FCOS', 'nas_fcos/nas-fcos_r50-caffe_fpn_nashead-gn-head_4xb4-1x_coco.py'),
    Family('PAA', 'paa/paa_r50_fpn_1x_coco.py'),
    Family('RepPoints', 'reppoints/reppoints-moment_r50_fpn_1x_coco.py'),
    Family('RetinaNet', 'retinanet/retinanet_r50_fpn_1x_coco.py'),
    Family('RTMDet', 'rtmdet/rtmdet_tiny_8xb32-300e_coco.py'),
    Family('SSD', 'ssd/ssd300_coco.py', image=300),
    Family('TOOD', 'tood/tood_r50_fpn_1x_coco.py'),
    Family('VFNet', 'vfnet/vfnet_r50_fpn_1x_coco.py'),
    Family('VFNet, DCNv2', 'vfnet/vfnet_r50-mdconv-c3-c5_fpn_ms-2x_coco.py'),
    Family('YOLOF', 'yolof/yolof_r50-c5_8xb8-1x_coco.py'),
    Family('YOLOv3', 'yolo/yolov3_d53_8xb8-320-273e_coco.py'),
    Family('YOLOX', 'yolox/yolox_tiny_8xb8-300e_coco.py'),
    # Masks in one stage
    Family('BoxInst', 'boxinst/boxinst_r50_fpn_ms-90k_coco.py'),
    Family('CondInst', 'condinst/condinst_r50_fpn_ms-poly-90k_coco_instance.py'),
    Family('RTMDet-Ins', 'rtmdet/rtmdet-ins_tiny_8xb32-300e_coco.py'),
    Family('SOLO', 'solo/solo_r50_fpn_1x_coco.py'),
    Family('SOLO, decoupled', 'solo/decoupled-solo_r50_fpn_1x_coco.py'),
    Family('SOLOv2', 'solov2/solov2_r50_fpn_1x_coco.py'),
    Family('SOLOv2, DCN', 'solov2/solov2-light_r50-dcn_fpn_ms-3x_coco.py'),
    Family('YOLACT', 'yolact/yolact_r50_1xb8-55e_coco.py'),
    # Transformers
    Family('Conditional DETR', 'conditional_detr/conditional-detr_r50_8xb2-50e_coco.py'),
    Family('DAB-DETR', 'dab_detr/dab-detr_r50_8xb2-50e_coco.py'),
    Family('DDQ', 'ddq/ddq-detr-4scale_r50_8xb2-12e_coco.py'),
    Family('Deformable DETR', 'deformable_detr/deformable-detr_r50_16xb2-50e_coco.py'),
    Family('DETR', 'detr/detr_r50_8xb2-150e_coco.py'),
    Family('DINO', 'dino/dino-4scale_r50_8xb2-12e_coco.py'),
    Family('Mask2Former, instances', 'mask2former/mask2former_r50_8xb2-lsj-50e_coco.py'),
    # Panoptic
    Family('Mask2Former', 'mask2former/mask2former_r50_8xb2-lsj-50e_coco-panoptic.py',
           semantics=_STUFF),
    Family('MaskFormer', 'maskformer/maskformer_r50_ms-16xb1-75e_coco.py', semantics=_STUFF),
    Family('PanopticFPN', 'panoptic_fpn/panoptic-fpn_r50_fpn_1x_coco.py',
           semantics=Semantics(stride=1, first=0, classes=54)),
)
