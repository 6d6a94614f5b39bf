"""The embedded model in torch: a small decoder with convolutions and a copy head.

`harness/embedded/network.py` computes the same formulas with numpy, from the same array names.

Sources: rotary positions (Su et al. 2021), RMSNorm (Zhang & Sennrich 2019), SwiGLU (Shazeer 2020),
query-key norm (Henry et al. 2020), short causal convolutions before attention and feed-forward
(Allen-Zhu 2025, "Canon layers"), pointer sentinel mixture (Merity et al. 2016), copy keys that
begin equal to queries (Trockman & Kolter 2023, "Mimetic initialization").
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - its name everywhere

CONV_WIDTH = 4


@dataclass(frozen=True)
class Shape:
    """The sizes of the network, as they stand in `config.json`."""

    d_model: int = 256
    n_layers: int = 4
    n_heads: int = 4
    d_ff: int = 640
    vocab_size: int = 3072
    d_copy: int = 128
    rope_base: float = 10000.0
    rope_share: float = 0.5
    max_tokens: int = 1152
    conv_width: int = CONV_WIDTH


class Layer(nn.Module):
    """Attention and feed-forward, each behind a norm and a short convolution."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        d = shape.d_model
        self.n_heads = shape.n_heads
        self.attn_norm = nn.Parameter(torch.ones(d))
        self.attn_conv = nn.Parameter(torch.randn(CONV_WIDTH, d) * 0.1)
        self.qkv = nn.Linear(d, 3 * d, bias=False)
        self.q_norm = nn.Parameter(torch.ones(d // shape.n_heads))
        self.k_norm = nn.Parameter(torch.ones(d // shape.n_heads))
        self.out = nn.Linear(d, d, bias=False)
        self.mlp_norm = nn.Parameter(torch.ones(d))
        self.mlp_conv = nn.Parameter(torch.randn(CONV_WIDTH, d) * 0.1)
        self.gate_up = nn.Linear(d, 2 * shape.d_ff, bias=False)
        self.down = nn.Linear(shape.d_ff, d, bias=False)
        nn.init.normal_(self.qkv.weight, std=d**-0.5)
        nn.init.normal_(self.gate_up.weight, std=d**-0.5)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.down.weight)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """`x` of shape (batch, tokens, d_model), one layer further."""
        b, t, d = x.shape
        h = convolved(norm(x, self.attn_norm), self.attn_conv)
        q, k, v = self.qkv(h).view(b, t, 3, self.n_heads, d // self.n_heads).permute(2, 0, 3, 1, 4)
        q, k = rotated(norm(q, self.q_norm), cos, sin), rotated(norm(k, self.k_norm), cos, sin)
        seen = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(seen.transpose(1, 2).reshape(b, t, d))
        h = convolved(norm(x, self.mlp_norm), self.mlp_conv)
        gate, up = self.gate_up(h).chunk(2, -1)
        return x + self.down(F.silu(gate) * up)


class Network(nn.Module):
    """The decoder; `loss` is that of the mixture of vocabulary and copied tokens."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        d, c = shape.d_model, shape.d_copy
        self.shape = shape
        self.embed = nn.Embedding(shape.vocab_size, d)
        nn.init.normal_(self.embed.weight, std=0.02)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.n_layers))
        self.norm = nn.Parameter(torch.ones(d))
        self.copy_query, self.copy_key, self.copy_key_before = (
            nn.Linear(d, c, bias=False) for _ in range(3)
        )
        for part in (self.copy_query, self.copy_key, self.copy_key_before):
            nn.init.normal_(part.weight, std=d**-0.5)
        with torch.no_grad():  # what stood before a token, if it is like what stands here
            self.copy_key_before.weight.copy_(self.copy_query.weight)
        self.sentinel = nn.Parameter(torch.zeros(d))
        self.sentinel_bias = nn.Parameter(torch.tensor([6.0]))
        cos, sin = angles(shape)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)

    def hidden(self, tokens: Tensor) -> Tensor:
        """The last layer's normed state for each token: (batch, tokens, d_model)."""
        n = tokens.shape[1]
        x = self.embed(tokens) * self.shape.d_model**0.5
        if torch.is_autocast_enabled("cpu"):
            x = x.bfloat16()
        cos, sin = self.cos[:n].to(x.dtype), self.sin[:n].to(x.dtype)
        for layer in self.layers:
            x = layer(x, cos, sin)
        return norm(x, self.norm)

    def copy_scores(self, h: Tensor) -> tuple[Tensor, Tensor]:
        """The sentinel's score (batch, tokens, 1), and those of all tokens read, masked."""
        n = h.shape[1]
        keys = self.copy_key(h) + self.copy_key_before(before(h))
        scores = (self.copy_query(h) @ keys.transpose(1, 2)).float() * self.shape.d_copy**-0.5
        later = torch.ones(n, n, dtype=torch.bool, device=h.device).triu(1)
        sentinel = (h.float() @ self.sentinel + self.sentinel_bias).unsqueeze(-1)
        return sentinel, scores.masked_fill(later, -1e9)

    def loss(self, tokens: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """The weighted sum of negative log-likelihoods over all targets, each (batch, tokens)."""
        return self.head_loss(self.hidden(tokens), tokens, targets, weights)

    def head_loss(self, h: Tensor, tokens: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """`loss` from the last layer's states."""
        logits = F.linear(h, self.embed.weight).float()
        written = -F.cross_entropy(
            logits.view(-1, logits.shape[-1]), targets.reshape(-1), reduction="none"
        ).view(targets.shape)
        sentinel, scores = self.copy_scores(h)
        total = torch.cat([sentinel, scores], -1).logsumexp(-1)
        same = tokens[:, None, :] == targets[:, :, None]
        copied = scores.masked_fill(~same, -1e9).logsumexp(-1)
        likelihood = torch.logaddexp(sentinel.squeeze(-1) + written, copied) - total
        return -(likelihood * weights).sum()


def norm(x: Tensor, weight: Tensor) -> Tensor:
    """RMSNorm over the last axis."""
    return F.rms_norm(x, (x.shape[-1],), weight.to(x.dtype), eps=torch.finfo(torch.float32).eps)


def before(h: Tensor) -> Tensor:
    """Each token's predecessor; zero for the first."""
    return F.pad(h, (0, 0, 1, 0))[:, :-1]


def convolved(h: Tensor, kernel: Tensor) -> Tensor:
    """`h` plus a weighted sum, channel by channel, of each token and the three before it."""
    kernel = kernel.to(h.dtype)
    total, shifted = h + kernel[0] * h, h
    for weight in kernel[1:]:
        shifted = before(shifted)
        total = total + weight * shifted
    return total


def rotated(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary positions: the halves of each head are the two parts of its rotations."""
    a, b = x.chunk(2, -1)
    return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)


def angles(shape: Shape) -> tuple[Tensor, Tensor]:
    """Cosines and sines of the rotations: each (max_tokens, head size / 2)."""
    head = shape.d_model // shape.n_heads
    frequency = shape.rope_base ** (-torch.arange(0, head, 2).float() / head)
    frequency[int(len(frequency) * shape.rope_share) :] = 0.0  # the rest looks at content alone
    angle = torch.arange(shape.max_tokens).float()[:, None] * frequency
    return angle.cos(), angle.sin()
