"""Slow operators, written from their definitions: loops, float64, gradients by autograd."""
import math

import torch


def sample(image, y, x):
    """Interpolate [C×H×W] at points [P]; zero outside, linear up to one pixel past the edge."""
    height, width = image.shape[-2:]
    top, left = y.detach().floor().long(), x.detach().floor().long()
    total = 0
    for row, weight_y in ((top, top + 1 - y), (top + 1, y - top)):
        for column, weight_x in ((left, left + 1 - x), (left + 1, x - left)):
            inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
            value = image[:, row.clamp(0, height - 1), column.clamp(0, width - 1)]
            total = total + value * (weight_y * weight_x * inside)
    return total


def iou(first, second, offset=0):
    width = max(0.0, min(first[2], second[2]) - max(first[0], second[0]) + offset)
    height = max(0.0, min(first[3], second[3]) - max(first[1], second[1]) + offset)
    area = sum((box[2] - box[0] + offset) * (box[3] - box[1] + offset) for box in (first, second))
    rest = area - width * height
    return width * height / rest if rest else math.nan


def nms(boxes, scores, *, iou_threshold, offset):
    order = sorted(range(len(boxes)), key=lambda index: -scores[index])
    kept = []
    for index in order:
        if not any(iou(boxes[index], boxes[other], offset) > iou_threshold for other in kept):
            kept.append(index)
    return kept


def nms_match(dets, *, iou_threshold):
    left = sorted(range(len(dets)), key=lambda index: -dets[index][4])
    groups = []
    while left:
        best = left[0]
        group = [index for index in left
                 if index == best or iou(dets[best], dets[index]) >= iou_threshold]
        groups.append(group)
        left = [index for index in left if index not in group]
    return groups


def soft_nms(boxes, scores, *, iou_threshold, sigma, min_score, method, offset):
    """Index and new score of the boxes kept; scores must differ."""
    left = dict(enumerate(scores))
    kept = []
    while left:
        best = max(left, key=left.get)
        kept.append((best, left.pop(best)))
        for index in list(left):
            overlap = iou(boxes[best], boxes[index], offset)
            if method == 'gaussian':
                left[index] *= math.exp(-overlap ** 2 / sigma)
            elif overlap >= iou_threshold:
                left[index] *= 1 - overlap if method == 'linear' else 0
            if left[index] < min_score:
                del left[index]
    return kept


def roi_align(features, rois, size, scale, sampling_ratio, aligned):
    """Mean of bilinear samples; a sample up to one pixel outside takes the edge's value."""
    rows, columns = size
    height, width = features.shape[-2:]
    shift = 0.5 if aligned else 0.0
    result = []
    for image, *corners in rois.tolist():
        x1, y1, x2, y2 = (corner * scale - shift for corner in corners)
        wide, high = x2 - x1, y2 - y1
        if not aligned:
            wide, high = max(wide, 1.0), max(high, 1.0)
        bin_h, bin_w = high / rows, wide / columns
        count_y = sampling_ratio or math.ceil(bin_h)
        count_x = sampling_ratio or math.ceil(bin_w)
        bins = []
        for row in range(rows):
            for column in range(columns):
                total = features.new_zeros(features.shape[1])
                for i in range(count_y):
                    for j in range(count_x):
                        y = y1 + bin_h * (row + (i + 0.5) / count_y)
                        x = x1 + bin_w * (column + (j + 0.5) / count_x)
                        if -1 <= y <= height and -1 <= x <= width:
                            point = torch.tensor([[min(max(y, 0), height - 1)],
                                                  [min(max(x, 0), width - 1)]],
                                                 dtype=features.dtype)
                            total = total + sample(features[int(image)], *point)[:, 0]
                bins.append(total / max(count_y * count_x, 1))
        result.append(torch.stack(bins, dim=1).view(-1, rows, columns))
    empty = features.new_zeros(0, features.shape[1], rows, columns)
    # The last summand keeps the graph where nothing was sampled.
    return (torch.stack(result) if result else empty) + features.sum() * 0


def roi_pool(features, rois, size, scale):
    """Maximum of each bin; its edges are rounded outwards after the division."""
    rows, columns = size
    height, width = features.shape[-2:]
    result = []
    for image, x1, y1, x2, y2 in rois.tolist():
        high, wide = (y2 + 1) * scale - y1 * scale, (x2 + 1) * scale - x1 * scale
        bins = []
        for row in range(rows):
            for column in range(columns):
                top = math.floor(row * high / rows + y1 * scale)
                bottom = math.ceil((row + 1) * high / rows + y1 * scale)
                left = math.floor(column * wide / columns + x1 * scale)
                right = math.ceil((column + 1) * wide / columns + x1 * scale)
                window = features[int(image), :, max(top, 0):max(min(bottom, height), 0),
                                  max(left, 0):max(min(right, width), 0)]
                empty = window.numel() == 0 or high <= 0 or wide <= 0
                bins.append(features.new_zeros(features.shape[1]) if empty
                            else window.flatten(1).amax(1))
        result.append(torch.stack(bins, dim=1).view(-1, rows, columns))
    empty = features.new_zeros(0, features.shape[1], rows, columns)
    # The last summand keeps the graph where nothing was sampled.
    return (torch.stack(result) if result else empty) + features.sum() * 0


def deform_conv(features, offset, weight, *, mask=None, bias=None, stride, padding, dilation,
                groups, deform_groups):
    """Convolve samples at displaced points."""
    images, channels = features.shape[:2]
    outputs, _, kernel_h, kernel_w = weight.shape
    high, wide = offset.shape[-2:]
    shifts = offset.view(images, deform_groups, kernel_h * kernel_w, 2, high, wide)
    grid_y = torch.arange(high, dtype=features.dtype)[:, None] * stride - padding
    grid_x = torch.arange(wide, dtype=features.dtype)[None] * stride - padding
    result = []
    for image in range(images):
        sampled = []
        for group, part in enumerate(features[image].chunk(deform_groups)):
            taps = []
            for tap in range(kernel_h * kernel_w):
                y = grid_y + tap // kernel_w * dilation + shifts[image, group, tap, 0]
                x = grid_x + tap % kernel_w * dilation + shifts[image, group, tap, 1]
                value = sample(part, y.flatten(), x.flatten()).view(-1, high, wide)
                if mask is not None:
                    value = value * mask.view(images, deform_groups, -1, high, wide)[
                        image, group, tap]
                taps.append(value)
            sampled.append(torch.stack(taps, dim=1))
        near = torch.cat(sampled).view(groups, channels // groups, kernel_h * kernel_w, -1)
        filters = weight.view(groups, outputs // groups, channels // groups, -1)
        result.append(torch.einsum('gckp,gock->gop', near, filters).reshape(outputs, high, wide))
    output = torch.stack(result)
    return output if bias is None else output + bias[:, None, None]


def sigmoid_focal_loss(logits, target, gamma, alpha, weight=None):
    result = []
    for row, label in zip(logits, target.tolist()):
        chance = row.sigmoid()
        hit = torch.arange(len(row)) == label
        loss = torch.where(hit, -alpha * (1 - chance) ** gamma * chance.log(),
                           -(1 - alpha) * chance ** gamma * (1 - chance).log())
        is_class = weight is not None and 0 <= label < len(weight)
        result.append(loss * (weight[label] if is_class else 1))
    return torch.stack(result)


def softmax_focal_loss(logits, target, gamma, alpha, weight=None):
    result = []
    for row, label in zip(logits, target.tolist()):
        chance = row.softmax(0)[label]
        loss = -alpha * (1 - chance) ** gamma * chance.log()
        result.append(loss * 0 if label < 0 else loss * (1 if weight is None else weight[label]))
    return torch.stack(result)


def attention(value, shapes, locations, weights):
    images, queries, heads, levels, points, _ = locations.shape
    starts = [0]
    for high, wide in shapes.tolist():
        starts.append(starts[-1] + high * wide)
    rows = []
    for image in range(images):
        for query in range(queries):
            for head in range(heads):
                total = 0
                for level, (high, wide) in enumerate(shapes.tolist()):
                    part = value[image, starts[level]:starts[level + 1], head]
                    part = part.T.reshape(-1, high, wide)
                    place = locations[image, query, head, level]
                    found = sample(part, place[:, 1] * high - 0.5, place[:, 0] * wide - 0.5)
                    total = total + (found * weights[image, query, head, level]).sum(1)
                rows.append(total)
    return torch.stack(rows).view(images, queries, -1)


def carafe(features, masks, side, groups, scale):
    images, channels, height, width = features.shape
    rows = []
    for image in range(images):
        for channel in range(channels):
            group = channel * groups // channels
            for y in range(height * scale):
                for x in range(width * scale):
                    total = 0
                    for tap in range(side * side):
                        row = y // scale + tap // side - side // 2
                        column = x // scale + tap % side - side // 2
                        if 0 <= row < height and 0 <= column < width:
                            total = total + (features[image, channel, row, column]
                                             * masks[image, group * side * side + tap, y, x])
                    rows.append(total)
    return torch.stack(rows).view(images, channels, height * scale, width * scale)
