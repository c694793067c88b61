"""The engine python: a worker of `validate probe` on whatever PyTorch the interpreter that runs it has.

It needs Python 3.7 or later, its standard library, and PyTorch 1.13 or later. `validate` carries this file and hands it
to the interpreter as an argument; standard input holds one request and standard output takes messages (src/probe/protocol/mod.rs),
inputs and what of a result is carried are those of src/probe/tensor.rs, operations those of src/probe/spec/.

What PyTorch raises about memory, or about an operation that it does not have, is said in a message. Everything else it
raises ends this process with Python's traceback: after most errors of a GPU nothing works any more, and the traceback is
what the known signatures are looked for in.
"""

import base64
import contextlib
import ctypes
import faulthandler
import hashlib
import json
import math
import os
import sys
import time
import traceback

PROTOCOL = 1

# Longest request that is read, in bytes.
LONGEST = 128 << 10

# Most elements that are all carried, and blocks of a larger result; what a result is filled with before it is computed.
FULL = 1 << 16
BLOCKS = 4096
POISON = 57344.0

# Elements that are made, summed up or hashed at once.
CHUNK = 1 << 20

# Seconds between two signs of life.
SIGN = 1.0
# Seconds for which results of a soak that are all alike are counted before they are said.
COUNTING = 2.0
# Bytes after which a soak says good bye.
MOST = 32 << 20

MIB = 1 << 20
# Largest block of a ladder, written and compared in pieces of this size.
BLOCK = 1 << 30
PIECE = 16 * MIB
# What is written to a device's neighbour.
NEIGHBOUR = 64 * MIB

# The exit code of a program whose libraries are not there.
NO_LIBRARY = 127

# Parts of the names of files that drive a GPU.
DRIVERS = (
    "libtorch_hip", "libtorch_cuda", "libamdhip64", "libhsa-runtime64", "libamd_comgr", "libMIOpen", "librocblas",
    "libhipblas", "libcuda.so", "libcudart", "libcudnn", "libcublas", "libnvrtc",
)

SGD_RATE, ADAM_RATE = 0.0625, 0.0078125
MOMENTUM, BETA2, EPSILON = 0.9, 0.999, 1e-8
# Which step of Adam a single one is.
SINGLE_STEP = 10
LOSS_SCALE = 1024.0
NORM_EPSILON = 1e-5


class Unsupported(Exception):
    """This engine, or this machine, has no such operation."""


# ---------------------------------------------------------------------------------------------------------------------
# Inputs


MASK = 0xFFFFFFFF
ROLES = {"input": 0, "weights": 1, "bias": 2, "gradient": 3, "mean": 4, "variance": 5, "head": 6}


def mix(x):
    """lowbias32 of a number, or of each number of a tensor of int64, from 0 to 2^32 - 1."""
    x = x ^ (x >> 16)
    x = (x * 0x7FEB352D) & MASK
    x = x ^ (x >> 15)
    # The factor less 2^32 has the same product in 32 bits, and one that 64 bits hold.
    x = (x * (0x846CA68B - (1 << 32))) & MASK
    return x ^ (x >> 16)


def key(seed, role):
    return mix(mix(seed) ^ (((ROLES[role] + 1) * 0x9E3779B9) & MASK))


def hashes(torch, seed, role, first, last):
    """The hashes of elements `first` to `last` (without it), as int64."""
    return mix(torch.arange(first, last, dtype=torch.int64) ^ key(seed, role))


def numbers(torch, seed, role, shape, dtype):
    """The input of this role, on the CPU."""
    count = product(shape)
    out = torch.empty(count, dtype=dtype)
    for first in range(0, count, CHUNK):
        last = min(first + CHUNK, count)
        values = ((hashes(torch, seed, role, first, last) >> 24) * 2 - 255).to(torch.float32) / 256
        out[first:last] = values.abs() if role == "variance" else values
    return out.reshape(shape)


def product(extents):
    result = 1
    for extent in extents:
        result *= extent
    return result


# ---------------------------------------------------------------------------------------------------------------------
# Results


def raw(tensor):
    """The bytes of a contiguous tensor on the CPU, without a copy; they live as long as the tensor."""
    size = tensor.numel() * tensor.element_size()
    return (ctypes.c_char * size).from_address(tensor.data_ptr()) if size else b""


def packed(tensor):
    return base64.b64encode(bytes(raw(tensor))).decode("ascii")


def one_after_the_other(torch, values, before=None):
    """The sum of numbers in their order, which is the order of whoever judges it."""
    if before is not None:
        values = torch.cat([before, values])
    return values.cumsum(0)[-1:]


def output(torch, result):
    """What is carried of a result."""
    flat = result.detach().to("cpu").contiguous().reshape(-1)
    count = flat.numel()
    digest, total, most = hashlib.sha256(), None, 0.0
    non_finite = zeros = unwritten = 0
    for first in range(0, count, CHUNK):
        part = flat[first:first + CHUNK].to(torch.float64)
        digest.update(raw(part))
        finite = torch.isfinite(part)
        non_finite += part.numel() - int(finite.sum())
        zeros += int((part == 0).sum())
        unwritten += int((part == POISON).sum())
        part = part[finite]
        if part.numel():
            total = one_after_the_other(torch, part, total)
            most = max(most, float(part.abs().max()))
    values, blocks = carried(torch, flat)
    return {
        "shape": list(result.shape),
        "sum": bounded(float(total[0]) if total is not None else 0.0),
        "abs_max": most,
        "non_finite": non_finite,
        "zeros": zeros,
        "unwritten": unwritten,
        "sha256": digest.hexdigest(),
        "values": packed(values),
        "blocks": packed(blocks),
    }


def bounded(number):
    """JSON has no infinity."""
    return max(-sys.float_info.max, min(sys.float_info.max, number))


def carried(torch, flat):
    """All elements and no blocks; or of each block the middle element, and the sum of its finite ones."""
    count = flat.numel()
    if count <= FULL:
        return flat.to(torch.float64), torch.empty(0, dtype=torch.float64)
    length = -(-count // BLOCKS)
    number = -(-count // length)
    middles = (torch.arange(number) * length + length // 2).clamp(max=count - 1)
    sums = torch.empty(number, dtype=torch.float64)
    step = max(1, CHUNK // length)
    for block in range(0, number, step):
        some = min(step, number - block)
        part = torch.zeros(some * length, dtype=torch.float64)
        there = flat[block * length:(block + some) * length].to(torch.float64)
        part[:there.numel()] = torch.where(torch.isfinite(there), there, torch.zeros_like(there))
        sums[block:block + some] = part.reshape(some, length).cumsum(1)[:, -1]
    return flat[middles].to(torch.float64), sums


# ---------------------------------------------------------------------------------------------------------------------
# Operations


class Computation:
    """One operation with its inputs on the device; `run` computes it once."""

    def __init__(self, torch, spec, device, life):
        self.torch, self.device, self.life = torch, device, life
        self.seed = spec["seed"]
        work = spec["work"]
        self.operation = work["operation"]
        self.name = work["dtype"]
        self.dtype = {
            "f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16, "f64": torch.float64,
        }[self.name]
        # `optimizer-step` is the method `optimizer_step`.
        prepare = getattr(self, self.operation["op"].replace("-", "_"))
        self.once = prepare(**{name: value for name, value in self.operation.items() if name != "op"})

    def run(self):
        with self.torch.no_grad():
            return self.once()

    def input(self, role, shape, dtype=None):
        return numbers(self.torch, self.seed, role, shape, dtype or self.dtype).to(self.device)

    def poisoned(self, shape):
        """Where a result goes: an element that nobody writes is still the poison."""
        return self.torch.full(shape, POISON, dtype=self.dtype, device=self.device)

    def left_poisoned(self, shape, compute):
        """Computes where PyTorch takes no tensor to write to: the allocator gives out next what was given back last."""
        def once():
            if self.device.type != "cpu":
                self.poisoned(shape)
            return compute()
        return once

    def conv(self, input, filters, kernel, stride, padding, dilation, groups, transposed, direction):
        functional, dims = self.torch.nn.functional, len(kernel)
        outer, inner = (input[1], filters) if transposed else (filters, input[1])
        weights_shape = [outer, inner // groups] + kernel
        extents = []
        for dim in range(dims):
            reach = dilation[dim] * (kernel[dim] - 1) + 1
            if transposed:
                extents.append((input[dim + 2] - 1) * stride[dim] + reach - 2 * padding[dim])
            else:
                extents.append((input[dim + 2] + 2 * padding[dim] - reach) // stride[dim] + 1)
        output_shape = [input[0], filters] + extents

        if direction == "forward":
            x, weights = self.input("input", input), self.input("weights", weights_shape)
            if transposed:
                name, more = "conv_transpose%dd" % dims, (None, stride, padding, 0, groups, dilation)
            else:
                name, more = "conv%dd" % dims, (None, stride, padding, dilation, groups)
            return self.left_poisoned(output_shape, lambda: getattr(functional, name)(x, weights, *more))

        gradient = self.input("gradient", output_shape)
        steps = (stride, padding, dilation, transposed, [0] * dims, groups)
        backward = self.torch.ops.aten.convolution_backward
        if direction == "backward-data":
            # Of the input only the shape is used.
            x = self.torch.zeros(input, dtype=self.dtype, device=self.device)
            weights = self.input("weights", weights_shape)
            return self.left_poisoned(
                input, lambda: backward(gradient, x, weights, None, *steps, [True, False, False])[0])
        x = self.input("input", input)
        weights = self.torch.zeros(weights_shape, dtype=self.dtype, device=self.device)
        return self.left_poisoned(
            weights_shape, lambda: backward(gradient, x, weights, None, *steps, [False, True, False])[1])

    def matmul(self, m, k, n):
        a, b = self.input("input", [m, k]), self.input("weights", [k, n])
        return lambda: self.torch.matmul(a, b, out=self.poisoned([m, n]))

    def linear(self, batch, inputs, outputs):
        x, weights = self.input("input", [batch, inputs]), self.input("weights", [outputs, inputs])
        bias = self.input("bias", [outputs])
        compute = lambda: self.torch.nn.functional.linear(x, weights, bias)
        return self.left_poisoned([batch, outputs], compute)

    def elementwise(self, function, shape):
        torch, x = self.torch, self.input("input", shape)
        if function in ("add", "multiply"):
            y = self.input("weights", shape)
            compute = {"add": torch.add, "multiply": torch.mul}[function]
            return lambda: compute(x, y, out=self.poisoned(shape))
        if function == "relu":
            return self.left_poisoned(shape, lambda: torch.relu(x))
        compute = {"exp": torch.exp, "tanh": torch.tanh, "sigmoid": torch.sigmoid}[function]
        return lambda: compute(x, out=self.poisoned(shape))

    def reduce(self, function, shape, over):
        torch, x = self.torch, self.input("input", shape)
        if over == "all":
            x = x.reshape(-1)
        keep = x.dim() == 1
        result = [1] if keep else shape[:-1]
        compute = {"sum": torch.sum, "mean": torch.mean, "max": torch.amax}[function]
        return lambda: compute(x, -1, keep, out=self.poisoned(result))

    def softmax(self, shape):
        x = self.input("input", shape)
        return self.left_poisoned(shape, lambda: self.torch.softmax(x, -1))

    def layer_norm(self, shape):
        last = shape[-1:]
        x, weights, bias = self.input("input", shape), self.input("weights", last), self.input("bias", last)
        compute = lambda: self.torch.nn.functional.layer_norm(x, last, weights, bias, NORM_EPSILON)
        return self.left_poisoned(shape, compute)

    def batch_norm(self, shape, mode):
        channels = shape[1:2]
        x, weights, bias = self.input("input", shape), self.input("weights", channels), self.input("bias", channels)
        mean = variance = None
        if mode == "eval":
            mean, variance = self.input("mean", channels), self.input("variance", channels)
        compute = lambda: self.torch.nn.functional.batch_norm(
            x, mean, variance, weights, bias, mode == "train", 0.1, NORM_EPSILON)
        return self.left_poisoned(shape, compute)

    def pool(self, function, shape, kernel, stride, padding):
        functional, x, dims = self.torch.nn.functional, self.input("input", shape), len(kernel)
        extents = [(extent + 2 * padding - size) // stride + 1 for extent, size in zip(shape[2:], kernel)]
        if function == "max":
            compute = lambda: getattr(functional, "max_pool%dd" % dims)(x, kernel, stride, padding)
        else:
            compute = lambda: getattr(functional, "avg_pool%dd" % dims)(x, kernel, stride, padding)
        return self.left_poisoned(shape[:2] + extents, compute)

    def upsample(self, function, shape, factor):
        x, size = self.input("input", shape), [extent * factor for extent in shape[2:]]
        interpolate = self.torch.nn.functional.interpolate
        if function == "nearest":
            compute = lambda: interpolate(x, size=size, mode="nearest")
        else:
            compute = lambda: interpolate(x, size=size, mode="bilinear", align_corners=False)
        return self.left_poisoned(shape[:2] + size, compute)

    def optimizer_step(self, optimizer, parameters):
        torch, shape = self.torch, [parameters]
        weights, gradient = self.input("weights", shape), self.input("gradient", shape)
        first = self.input("mean", shape)
        second = self.input("variance", shape) if optimizer == "adam" else None

        def once():
            parameter = weights.clone().requires_grad_(True)
            parameter.grad = gradient.clone()
            stepper = make_optimizer(torch, optimizer, [parameter])
            if optimizer == "sgd":
                stepper.state[parameter]["momentum_buffer"] = first.clone()
            else:
                stepper.state[parameter].update(
                    step=torch.tensor(float(SINGLE_STEP - 1)), exp_avg=first.clone(), exp_avg_sq=second.clone())
            stepper.step()
            return parameter.detach()
        return once

    @contextlib.contextmanager
    def autocast(self):
        cast = self.torch.autocast(self.device.type, dtype=self.dtype)
        try:
            cast.__enter__()
        except RuntimeError as error:
            # Of a CPU, where sixteen bits came little by little; other versions only warn.
            raise Unsupported(words(error))
        try:
            yield
        finally:
            cast.__exit__(None, None, None)

    def training(self, optimizer, input, filters, classes, steps):
        torch = self.torch
        functional, mixed = torch.nn.functional, self.name in ("f16", "bf16")
        # Under autocast the weights stay in f32.
        dtype = torch.float32 if mixed else self.dtype
        scale = LOSS_SCALE if self.name == "f16" else 1.0
        x = self.input("input", input, dtype)
        weights = self.input("weights", [filters, input[1], 3, 3], dtype) * beginning(input[1] * 9)
        head = self.input("head", [classes, filters], dtype) * beginning(filters)
        labels = (hashes(torch, self.seed, "bias", 0, input[0]) % classes).to(self.device)

        def loss_of(parameters):
            kernel, bias, matrix, offset = parameters
            with self.autocast() if mixed else contextlib.nullcontext():
                activations = functional.conv2d(x, kernel, bias, padding=1)
                if activations.dtype != self.dtype:
                    # It warned, and computes in f32.
                    raise Unsupported("autocast to %s is not supported on %s" % (self.name, self.device.type))
                features = functional.relu(activations).mean((2, 3))
                scores = functional.linear(features, matrix, offset)
                return functional.cross_entropy(scores, labels)

        def once():
            zeros = lambda count: torch.zeros(count, dtype=dtype, device=self.device)
            parameters = [weights.clone(), zeros(filters), head.clone(), zeros(classes)]
            for parameter in parameters:
                parameter.requires_grad_(True)
            stepper = make_optimizer(torch, optimizer, parameters)
            losses = []
            for step in range(steps):
                stepper.zero_grad()
                with torch.enable_grad():
                    loss = loss_of(parameters)
                    (loss * scale).backward()
                for parameter in parameters:
                    parameter.grad.div_(scale)
                stepper.step()
                losses.append(loss.detach())
                self.life.sign(step + 1)
            losses.append(loss_of(parameters))
            return torch.stack(losses)
        return once


def make_optimizer(torch, name, parameters):
    if name == "sgd":
        return torch.optim.SGD(parameters, lr=SGD_RATE, momentum=MOMENTUM)
    return torch.optim.Adam(parameters, lr=ADAM_RATE, betas=(MOMENTUM, BETA2), eps=EPSILON)


def beginning(fan_in):
    """The largest power of two that is at most sqrt(6 / fan_in)."""
    return 2.0 ** math.floor(math.log2(math.sqrt(6.0 / fan_in)))


# ---------------------------------------------------------------------------------------------------------------------
# Memory


class Patterns:
    """Writes to blocks of int32, and counts the bytes that came back otherwise, without memory for more than a piece."""

    def __init__(self, torch, device):
        self.torch, self.device = torch, device
        # Held from the start: a device that is full has no room to compare in.
        self.expected = torch.empty(PIECE // 4, dtype=torch.int32, device=device)
        self.differs = torch.empty(PIECE, dtype=torch.bool, device=device)

    def write(self, block, salt):
        self.torch.arange(salt, salt + block.numel(), dtype=self.torch.int32, out=block)
        # An odd factor: every position has another number, and a shifted or swapped block shows.
        block.mul_(-1640531535)

    def wrong(self, block, salt):
        """Bytes of a block that are not as they were written."""
        torch, count = self.torch, 0
        for first in range(0, block.numel(), PIECE // 4):
            piece = block[first:first + PIECE // 4]
            expected = self.expected[:piece.numel()]
            self.write(expected, salt + first)
            differs = self.differs[:4 * piece.numel()]
            torch.ne(piece.view(torch.uint8), expected.view(torch.uint8), out=differs)
            count += int(differs.sum())
        return count


class MemoryUse:
    """One use of memory; `run` does it once and reports."""

    def __init__(self, torch, operation, device, life):
        self.torch, self.operation, self.device, self.life = torch, operation, device, life
        self.gpu = device.type != "cpu"
        if self.gpu:
            self.free, self.total = torch.cuda.mem_get_info(device)
        else:
            self.free = None
            self.total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")

    def run(self):
        name = self.operation["op"]
        of_host = name == "churn" or (name == "copy" and self.operation["path"] == "device-to-device")
        if not self.gpu and not of_host:
            raise Unsupported("memory-%s needs a GPU" % name)
        method = getattr(self, name.replace("-", "_"))
        report = method(**{key: value for key, value in self.operation.items() if key != "op"})
        self.give_back()
        return report

    def report(self, allocated=0, checked=0, mismatches=0, refused=None, neighbour=None, copying=0):
        return {
            "total": self.total, "free": self.free, "allocated": allocated, "checked": checked,
            "mismatches": mismatches, "refused": refused, "neighbour": neighbour, "copying": copying,
        }

    def block(self, size, device=None):
        """A block of at least this many bytes."""
        return self.torch.empty(-(-size // 4), dtype=self.torch.int32, device=device or self.device)

    def give_back(self):
        """Gives unused memory back to the driver, so that what comes next is allocated anew."""
        if self.gpu:
            self.torch.cuda.empty_cache()

    def grow(self, sizes, patterns):
        """Blocks of these sizes, each written to, until one is refused. They and the refusal's text."""
        blocks = []
        for size in sizes:
            try:
                block = self.block(size)
                patterns.write(block, len(blocks))
                self.settle()
            except Exception as error:
                if not is_out_of_memory(self.torch, error):
                    raise
                return blocks, words(error)
            blocks.append(block)
            self.life.sign(len(blocks))
        return blocks, None

    def settle(self):
        if self.gpu:
            self.torch.cuda.synchronize(self.device)

    def checked(self, blocks, patterns):
        """Bytes of all these blocks, each with the salt it was written with, and how many of them are wrong."""
        size = mismatches = 0
        for salt, block in blocks:
            mismatches += patterns.wrong(block, salt)
            size += 4 * block.numel()
            self.life.sign(salt)
        return size, mismatches

    def ladder(self, percent):
        patterns = Patterns(self.torch, self.device)
        blocks, refused = self.grow(ladder(self.total * percent // 100), patterns)
        allocated = sum(4 * block.numel() for block in blocks)
        checked, mismatches = self.checked(list(enumerate(blocks)), patterns)
        return self.report(allocated, checked, mismatches, refused)

    def churn(self, bytes, times):
        patterns = Patterns(self.torch, self.device)
        size = checked = mismatches = 0
        for time_ in range(times):
            block = self.block(bytes)
            patterns.write(block, time_ % 1024)
            if time_ % 64 == 0 or time_ + 1 == times:
                size, wrong = self.checked([(time_ % 1024, block)], patterns)
                checked, mismatches = checked + size, mismatches + wrong
            del block
            if time_ % 16 == 15:
                self.give_back()
            self.life.sign(time_)
        return self.report(size, checked, mismatches)

    def out_of_memory(self):
        patterns = Patterns(self.torch, self.device)
        refused = None
        try:
            everything = self.torch.empty(2 * self.total, dtype=self.torch.uint8, device=self.device)
            allocated = everything.numel()
            del everything
        except Exception as error:
            if not is_out_of_memory(self.torch, error):
                raise
            allocated, refused = MIB, words(error)
        # A device that refused must still work.
        block = self.block(MIB)
        patterns.write(block, 0)
        checked, mismatches = self.checked([(0, block)], patterns)
        return self.report(allocated, checked, mismatches, refused)

    def isolation(self, percent):
        neighbour = self.neighbour()
        if neighbour is None:
            raise Unsupported("memory-isolation needs two devices")
        patterns, block = neighbour
        patterns.write(block, 7)
        self.torch.cuda.synchronize(block.device)
        report = self.ladder(percent)
        report["neighbour"] = self.beside(patterns, block)
        return report

    def past_limit(self):
        neighbour = self.neighbour()
        if neighbour is not None:
            neighbour[0].write(neighbour[1], 7)
            self.torch.cuda.synchronize(neighbour[1].device)
        patterns = Patterns(self.torch, self.device)
        size = max(self.total // 64, 4)
        blocks, refused = self.grow([size] * 128, patterns)
        ends = sorted({0, len(blocks) - 1}) if blocks else []
        checked, mismatches = self.checked([(at, blocks[at]) for at in ends], patterns)
        allocated = sum(4 * block.numel() for block in blocks)
        return self.report(
            allocated, checked, mismatches, refused, self.beside(*neighbour) if neighbour is not None else None)

    def neighbour(self):
        """Patterns and a block on the next device; `None` where there is none."""
        if self.torch.cuda.device_count() < 2:
            return None
        device = self.torch.device("cuda", 1)
        return Patterns(self.torch, device), self.block(NEIGHBOUR, device)

    def beside(self, patterns, block):
        return {"checked": 4 * block.numel(), "mismatches": patterns.wrong(block, 7)}

    def copy(self, bytes, path):
        torch, cpu = self.torch, self.torch.device("cpu")
        start, end = {
            "host-to-device": (cpu, self.device),
            "device-to-host": (self.device, cpu),
            "device-to-device": (self.device, self.device),
        }[path]
        source, target = self.place(bytes, start), self.place(bytes, end)
        Patterns(torch, start).write(source, 3)
        target.zero_()
        self.settle()
        _, copying = timed(torch, self.device, lambda: target.copy_(source, non_blocking=True))
        wrong = Patterns(torch, end).wrong(target, 3)
        size = 4 * target.numel()
        return self.report(2 * size, size, wrong, copying=copying)

    def place(self, size, device):
        """A block; on the host one that a GPU copies from and to by itself."""
        pinned = self.gpu and device.type == "cpu"
        return self.torch.empty(-(-size // 4), dtype=self.torch.int32, device=device, pin_memory=pinned)


def ladder(most):
    """Sizes that grow, each twice the one before, up to `most` bytes together."""
    sizes, size = [], MIB
    while most >= 4:
        size = min(size, BLOCK, most)
        sizes.append(size)
        most -= size
        size *= 2
    return sizes


# ---------------------------------------------------------------------------------------------------------------------
# Who this is


def mapped():
    """Paths of the mapped files that drive a GPU."""
    found = []
    try:
        with open("/proc/self/maps", "r", errors="replace") as maps:
            for line in maps:
                path = line.rstrip("\n").partition("/")[2]
                name = os.path.basename(path)
                if path and any(part in name for part in DRIVERS) and "/" + path not in found:
                    found.append("/" + path)
    except OSError:
        pass
    return found


def said_by(function):
    """What a function of PyTorch says; `None` where it has no such function, or fails: that is no reason to die."""
    try:
        return function()
    except Exception:
        traceback.print_exc()
        return None


def libraries(torch):
    backends = torch.backends
    found = {
        "python": "%d.%d.%d" % sys.version_info[:3],
        "torch": torch.__version__,
        "hip": getattr(torch.version, "hip", None),
        "cuda": torch.version.cuda,
        # ROCm's builds give MIOpen's version where others give cuDNN's.
        "miopen" if getattr(torch.version, "hip", None) else "cudnn": said_by(backends.cudnn.version),
    }
    return {name: str(version) for name, version in found.items() if version is not None}


def device_zero(torch, files):
    """The first GPU as its runtime describes it."""
    properties = torch.cuda.get_device_properties(0)
    return {
        "name": properties.name,
        "isa": getattr(properties, "gcnArchName", None) if getattr(torch.version, "hip", None) else None,
        "bdf": said_by(lambda: pci_address(files)),
        "memory": properties.total_memory,
    }


def pci_address(files):
    """Of the first GPU, by the runtime that PyTorch has loaded; PyTorch itself says it only since 2.6."""
    for library, function in (("libamdhip64", "hipDeviceGetPCIBusId"), ("libcudart", "cudaDeviceGetPCIBusId")):
        for path in files:
            if library in os.path.basename(path):
                text = ctypes.create_string_buffer(64)
                if getattr(ctypes.CDLL(path), function)(text, 64, 0) == 0:
                    return text.value.decode("ascii", "replace").lower()
    return None


def hello(torch):
    gpus = said_by(torch.cuda.device_count) or 0
    files = mapped()
    return {
        "message": "hello",
        "protocol": PROTOCOL,
        "engine": "python",
        "pid": os.getpid(),
        "libraries": libraries(torch),
        "gpu_backend": any("libtorch_hip" in path or "libtorch_cuda" in path for path in files),
        "gpus": gpus,
        "device": said_by(lambda: device_zero(torch, files)) if gpus else None,
        # After the first call of the device: some are loaded by that.
        "mapped": mapped(),
    }


# ---------------------------------------------------------------------------------------------------------------------
# Conversation


class Mouth:
    """Says messages, one per line. Whatever else is printed to standard output goes to standard error, since libraries
    print there, and a line that is no message breaks the protocol."""

    def __init__(self):
        sys.stdout.flush()
        self.pipe = os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)

    def say(self, message):
        """How many bytes it took."""
        line = json.dumps(message, allow_nan=False).encode("ascii") + b"\n"
        self.pipe.write(line)
        self.pipe.flush()
        return len(line)


class Life:
    """Says now and then that the worker is at it."""

    def __init__(self, mouth):
        self.mouth, self.phase, self.last = mouth, "first", time.monotonic()
        self.begin()

    def begin(self):
        self.mouth.say({"message": "progress", "phase": "first", "done": 0})

    def sign(self, done):
        if time.monotonic() - self.last >= SIGN:
            self.last = time.monotonic()
            self.mouth.say({"message": "progress", "phase": self.phase, "done": done})

    def done(self):
        self.phase = "run"


def timed(torch, device, function):
    """What it gives, and how long it took in nanoseconds: on the device's own queue, or on the CPU."""
    if device.type == "cpu":
        began = time.perf_counter()
        return function(), int((time.perf_counter() - began) * 1e9)
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    result = function()
    end.record()
    end.synchronize()
    return result, int(start.elapsed_time(end) * 1e6)


def counted_by_driver():
    """Bytes of video memory that KFD counts for this process; 0 where it counts none, or by another number."""
    folder, total = "/sys/class/kfd/kfd/proc/%d" % os.getpid(), 0
    try:
        for name in os.listdir(folder):
            if name.startswith("vram_"):
                with open(os.path.join(folder, name)) as file:
                    total += int(file.read(32))
    except (OSError, ValueError):
        return 0
    return total


def is_out_of_memory(torch, error):
    kind = getattr(torch.cuda, "OutOfMemoryError", None)
    if isinstance(error, MemoryError) or (kind is not None and isinstance(error, kind)):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and ("out of memory" in text or "can't allocate memory" in text)


def is_unsupported(error):
    # ValueError: PyTorch's own checks of what an operation takes.
    if isinstance(error, (Unsupported, NotImplementedError, ValueError)):
        return True
    return isinstance(error, RuntimeError) and "not implemented for" in str(error)


def words(error):
    """An exception's text, bounded, and nothing in it that is no text."""
    text = str(error) or type(error).__name__
    return text[:2000].encode("utf-8", "replace").decode("utf-8")


def answer(torch, repeat, device, once):
    """One repeat: its message, and what it has in common with others that are the same."""
    evidence = []
    try:
        (kind, outcome), took = timed(torch, device, once)
        likeness = outcome
        if kind == "numbers":
            evidence.append({"tensor": str(outcome.device)})
            outcome = output(torch, outcome)
            likeness = outcome["sha256"]
        else:
            evidence.append({"tensor": str(device)})
            likeness = dict(outcome, copying=0)
    except Exception as error:
        if is_out_of_memory(torch, error):
            kind, outcome = "raised", {"kind": "out-of-memory", "text": words(error)}
        elif is_unsupported(error):
            kind, outcome = "raised", {"kind": "unsupported", "text": words(error)}
        else:
            raise
        likeness, took = None, 0
    if device.type != "cpu":
        evidence.append({"event-time": took})
        evidence.append({"device-memory": counted_by_driver()})
    message = {
        "message": "result", "repeat": repeat, "outcome": {kind: outcome},
        "on": "cpu" if device.type == "cpu" else "gpu", "evidence": evidence,
    }
    return message, likeness


def converse(mouth, life, request, compute):
    """Computes every repeat, or those that the budget has time for, says what came of it, and good bye. A result that
    is bit for bit the one before is said to be: at once, or in a soak together with those that follow."""
    budget = request.get("budget")
    patience = 0.0 if budget is None else COUNTING
    began = said = time.monotonic()
    before = first = None
    times = spent = 0

    def say_alike():
        if not times:
            return 0
        return mouth.say(dict(first, outcome={"same": {"times": times}}))

    for repeat in range(request["probe"]["repeats"]):
        if repeat and budget is not None and (time.monotonic() - began >= budget or spent > MOST):
            break
        message, likeness = compute(repeat)
        life.done()
        same = likeness is not None and likeness == before
        before = likeness
        if same and times:
            times += 1
        else:
            spent += say_alike()
            times = 0
            if same:
                first, times = message, 1
            else:
                spent += mouth.say(message)
                said = time.monotonic()
        if time.monotonic() - said >= patience:
            spent += say_alike()
            times, said = 0, time.monotonic()
        if "raised" in message["outcome"]:
            break
    say_alike()
    mouth.say({"message": "bye"})


def asked():
    """The request. It is written by `validate`: one that is none is a mistake there."""
    text = sys.stdin.buffer.read(LONGEST + 1)
    try:
        if len(text) > LONGEST:
            raise ValueError("it is longer than %d bytes" % LONGEST)
        request = json.loads(text.decode("utf-8"))
        if request["protocol"] != PROTOCOL:
            raise ValueError("this worker speaks version %d of the protocol" % PROTOCOL)
        probe = request["probe"]
        if request["on"] not in ("cpu", "gpu") or probe["work"]["kind"] not in ("compute", "memory"):
            raise ValueError("it asks for what this worker does not know")
        if not (0 <= probe["seed"] <= MASK and probe["repeats"] >= 1):
            raise ValueError("seed or repeats are out of bounds")
    except (KeyError, TypeError, ValueError) as error:
        sys.exit("this is no request for a worker: %s: %s" % (type(error).__name__, error))
    return request


def load_torch():
    try:
        import torch
    except (ImportError, OSError):
        # As the loader ends a program whose libraries are not there: nothing is known of the GPU.
        traceback.print_exc()
        sys.exit(NO_LIBRARY)
    return torch


def exact(torch):
    """f32 is computed in f32, and sixteen bits are summed up in f32: what the bounds of the judge are made for."""
    torch.backends.cudnn.allow_tf32 = False
    matmul = torch.backends.cuda.matmul
    for name in ("allow_tf32", "allow_fp16_reduced_precision_reduction", "allow_bf16_reduced_precision_reduction"):
        try:
            setattr(matmul, name, False)
        except (AssertionError, AttributeError):
            # This version has no such choice. 1.13 says it with an assertion.
            pass


def main():
    faulthandler.enable()
    mouth = Mouth()
    request = asked()
    torch = load_torch()
    # The hello says which device it is, so the device is called before it. What raises there is left out of the hello and
    # raises again in the operation; what kills there has said nothing, and how it died says all.
    greeting = hello(torch)
    mouth.say(greeting)
    life = Life(mouth)
    exact(torch)
    gpu = request["on"] == "gpu" and greeting["gpus"] > 0
    device = torch.device("cuda", 0) if gpu else torch.device("cpu")
    probe, prepared = request["probe"], []

    def once():
        if probe["work"]["kind"] == "memory":
            return "memory", MemoryUse(torch, probe["work"]["operation"], device, life).run()
        # The inputs are made in the first repeat: what they raise is an answer too.
        if not prepared:
            prepared.append(Computation(torch, probe, device, life))
        return "numbers", prepared[0].run()

    converse(mouth, life, request, lambda repeat: answer(torch, repeat, device, once))


if __name__ == "__main__":
    main()
